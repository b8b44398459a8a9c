"""Decode and encode single images of lossless formats; a file that would need a conversion is an error."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import REPORT_EVERY, Shape, check_channels_of_files, image_error

HEADER = struct.Struct(">8s4x4sIIBB")  # signature, chunk length, chunk name, width, height, bit depth, colour type
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, ALPHA = 0, 2, 3, (4, 6)  # colour types: PNG specification (W3C 2003), Table 11.1
FORMATS = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}  # lossless, by ending
RAW_MODES = {"L", "RGB", "BGR", "BGRX"}  # Pillow's names of 8-bit grey and of 8-bit colours as BMP and TIFF store them
LOSSY = {".jpg", ".jpeg", ".webp"}

Stored = tuple[int, Path | str, BinaryIO, str]  # of an image: its number among all, its name, its file, its form


def decode_all(files: Iterable[Stored], count: int, shape: Shape | None, progress: Progress | None = None) -> Tensor:
    """Decode `count` images, which may come in any order, to uint8 N x C x H x W of `shape` C x H x W.

    shape: None takes the first image's. The stage that `progress` is called with is "reading". Raises EvaluationError,
    naming the first file that `decode` refuses.
    """
    if shape:
        check_channels_of_files(shape)
    images: NDArray[np.uint8] | None = None
    for done, (number, place, file, form) in enumerate(files, start=1):
        image = decode(place, file, form, shape)
        if images is None:
            images = np.empty((count, *image.shape), np.uint8)
            shape = images.shape[1:]  # type: ignore[assignment]
        images[number] = image
        if progress and (done % REPORT_EVERY == 0 or done == count):
            progress("reading", done, count)
    return torch.empty(0, *(shape or (1, 0, 0)), dtype=torch.uint8) if images is None else torch.from_numpy(images)


def decode(place: Path | str, file: BinaryIO, form: str, shape: Shape | None) -> NDArray[np.uint8]:
    """Decode one image, uint8 C x H x W of `shape`, from a file of a form of FORMATS; None: of its own shape.

    Accepted are 8-bit grey for one channel, and 8-bit RGB for three, or for one where R = G = B in every pixel;
    nothing is resized, rescaled or converted. Raises EvaluationError, naming `place`, for what does not fit.
    """
    try:
        return _decode(place, file, form, shape or _own_shape(file, form))
    except EvaluationError:
        raise
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # what Pillow raises for damaged files
        raise image_error(place, f"cannot be decoded: {str(error).rstrip('.')}") from error


def encode(image: Tensor) -> bytes:
    """Encode uint8 C x H x W, grey or RGB, as PNG; equal images give equal bytes."""
    content = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
    Image.fromarray(pixels.numpy()).save(content, "PNG")
    return content.getvalue()


def _own_shape(file: BinaryIO, form: str) -> Shape:
    """Read the shape of an image and rewind; `decode` refuses what has neither 1 nor 3 channels."""
    with Image.open(file, formats=(form,)) as image:
        shape = (1 if image.mode in ("L", "1") or image.mode.startswith("I") else 3, image.height, image.width)
    file.seek(0)
    return shape


def _decode(place: Path | str, file: BinaryIO, form: str, shape: Shape) -> NDArray[np.uint8]:
    if form == "PNG":
        _check_header(place, file.read(HEADER.size), shape)
        file.seek(0)
    with Image.open(file, formats=(form,)) as image:
        if form != "PNG":
            _check_storage(place, image, shape)
        elif (frames := getattr(image, "n_frames", 1)) > 1:
            raise image_error(place, f"is an animation of {frames} images; save each sample as a file of its own")
        image.load()
        pixels = np.asarray(image)
        if "transparency" in image.info:
            raise image_error(place, "has a transparent colour; save the samples as 8-bit grey or RGB")
    if pixels.ndim == 2:
        return pixels[None]
    if shape[0] == 1 and (pixels != pixels[..., :1]).any():
        raise image_error(place, "has colours, but the data is grey")
    return pixels.transpose(2, 0, 1)[: shape[0]]


def _check_header(place: Path | str, header: bytes, shape: Shape) -> None:
    """Check the file's own header: Pillow would silently cut 16-bit colours to 8 and rescale 2-bit greys."""
    if len(header) < HEADER.size or HEADER.unpack(header)[:2] != (SIGNATURE, b"IHDR"):
        raise image_error(place, "is not a PNG file, despite its name")
    _, _, width, height, depth, colour = HEADER.unpack(header)
    if (height, width) != shape[1:]:
        raise image_error(place, f"is {height} x {width} pixels, but the data is {shape[1]} x {shape[2]}")
    if colour == PALETTE:
        raise image_error(place, "has a palette; save the samples as 8-bit grey or RGB")
    if colour in ALPHA:
        raise image_error(place, "has an alpha channel; save the samples as 8-bit grey or RGB")
    if depth != 8:
        raise image_error(place, f"is a {depth}-bit file; save the samples as 8-bit")
    if colour == GREY and shape[0] == 3:
        raise image_error(place, "is grey, but the data has 3 channels")


def _check_storage(place: Path | str, image: Image.Image, shape: Shape) -> None:
    """Raise EvaluationError for a BMP or TIFF file that Pillow would silently convert or read in part."""
    if image.size[::-1] != shape[1:]:
        size = f"{image.height} x {image.width}"
        raise image_error(place, f"is {size} pixels, but the data is {shape[1]} x {shape[2]}")
    stored = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(image, "tile", ())}
    if not stored <= RAW_MODES or image.mode not in ("L", "RGB"):
        kind = ", ".join(str(mode) for mode in sorted(stored, key=str))
        raise image_error(place, f"holds {kind} pixels; save the samples as 8-bit grey or RGB")
    if image.mode == "L" and shape[0] == 3:
        raise image_error(place, "is grey, but the data has 3 channels")
    if image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"):
        raise image_error(place, "is compressed with loss; save the samples as 8-bit PNG")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise image_error(place, f"holds {frames} images; save each sample as a file of its own")
