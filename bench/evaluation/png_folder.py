"""Read another program's images from lossless files; a file that would need a conversion is an error."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress

HEADER = struct.Struct(">8s4x4sIIBB")  # signature, chunk length, chunk name, width, height, bit depth, colour type
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, ALPHA = 0, 2, 3, (4, 6)  # colour types: PNG specification (W3C 2003), Table 11.1
FORMATS = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}  # lossless, by ending
RAW_MODES = {"L", "RGB", "BGR", "BGRX"}  # Pillow's names of 8-bit grey and of 8-bit colours as BMP and TIFF store them
LOSSY = {".jpg", ".jpeg", ".webp"}
REPORT_EVERY = 500  # files


def read_images(paths: Sequence[Path], shape: tuple[int, int, int], progress: Progress | None = None) -> Tensor:
    """Read the images in `paths`, whose endings are those of FORMATS, as uint8 N x C x H x W of `shape` C x H x W.

    Accepted are 8-bit grey files for one channel, and 8-bit RGB files for three, or for one where R = G = B in every
    pixel; nothing is resized, rescaled or converted. The stage that `progress` is called with is "reading".
    Raises EvaluationError, naming the first file that does not fit.
    """
    if shape[0] not in (1, 3):
        raise EvaluationError(f"image files have 1 or 3 channels, but the data has {shape[0]}.")
    images = np.empty((len(paths), *shape), np.uint8)
    for done, path in enumerate(paths, start=1):
        try:
            with path.open("rb") as file:
                images[done - 1] = _read(path, file, shape)
        except EvaluationError:
            raise
        except (OSError, SyntaxError, ValueError, struct.error) as error:  # what Pillow raises for damaged files
            raise image_error(path, f"cannot be decoded: {str(error).rstrip('.')}") from error
        if progress and (done % REPORT_EVERY == 0 or done == len(paths)):
            progress("reading", done, len(paths))
    return torch.from_numpy(images)


def _read(path: Path, file: BinaryIO, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read the file's pixels, uint8 C x H x W."""
    form = FORMATS[path.suffix.lower()]
    if form == "PNG":
        _check_header(path, file.read(HEADER.size), shape)
        file.seek(0)
    with Image.open(file, formats=(form,)) as image:
        if form != "PNG":
            _check_storage(path, image, shape)
        image.load()
        pixels = np.asarray(image)
        if "transparency" in image.info:
            raise image_error(path, "has a transparent colour; save the samples as 8-bit grey or RGB")
    if pixels.ndim == 2:
        return pixels[None]
    if shape[0] == 1 and (pixels != pixels[..., :1]).any():
        raise image_error(path, "has colours, but the data is grey")
    return pixels.transpose(2, 0, 1)[: shape[0]]


def _check_header(path: Path, header: bytes, shape: tuple[int, int, int]) -> None:
    """Check the file's own header: Pillow would silently cut 16-bit colours to 8 and rescale 2-bit greys."""
    if len(header) < HEADER.size or HEADER.unpack(header)[:2] != (SIGNATURE, b"IHDR"):
        raise image_error(path, "is not a PNG file, despite its name")
    _, _, width, height, depth, colour = HEADER.unpack(header)
    if (height, width) != shape[1:]:
        raise image_error(path, f"is {height} x {width} pixels, but the data is {shape[1]} x {shape[2]}")
    if colour == PALETTE:
        raise image_error(path, "has a palette; save the samples as 8-bit grey or RGB")
    if colour in ALPHA:
        raise image_error(path, "has an alpha channel; save the samples as 8-bit grey or RGB")
    if depth != 8:
        raise image_error(path, f"is a {depth}-bit file; save the samples as 8-bit")
    if colour == GREY and shape[0] == 3:
        raise image_error(path, "is grey, but the data has 3 channels")


def _check_storage(path: Path, image: Image.Image, shape: tuple[int, int, int]) -> None:
    """Raise EvaluationError for a BMP or TIFF file that Pillow would silently convert or read in part."""
    if image.size[::-1] != shape[1:]:
        size = f"{image.height} x {image.width}"
        raise image_error(path, f"is {size} pixels, but the data is {shape[1]} x {shape[2]}")
    stored = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(image, "tile", ())}
    if not stored <= RAW_MODES or image.mode not in ("L", "RGB"):
        kind = ", ".join(str(mode) for mode in sorted(stored, key=str))
        raise image_error(path, f"holds {kind} pixels; save the samples as 8-bit grey or RGB")
    if image.mode == "L" and shape[0] == 3:
        raise image_error(path, "is grey, but the data has 3 channels")
    if image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"):
        raise image_error(path, "is compressed with loss; save the samples as 8-bit PNG")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise image_error(path, f"holds {frames} images; save each sample as a file of its own")


def image_error(path: Path, problem: str) -> EvaluationError:
    """Return the error about one image file."""
    return EvaluationError(f"images={path} {problem}.", key="images", value=path)
