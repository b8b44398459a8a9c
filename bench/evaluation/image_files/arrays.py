"""Arrays of NumPy as guided diffusion (Dhariwal & Nichol 2021) and its successors exchange samples.

`.npz` holds the images as `arr_0`, N x H x W x C, and perhaps their labels as `arr_1`; `.npy` holds the images alone,
with labels in `NAME.labels.npy` beside it. Images are read in parts, labels are written only, and nothing is unpickled.
"""

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import (
    ImageSet,
    Shape,
    check_channels_of_files,
    damaged,
    image_error,
)
from bench.runtime.files import written_aside

IMAGES = "arr_0"  # the name that numpy.savez gives to the first array without one
PART = 2**24  # bytes that are read at a time
DAMAGED = (  # what reading an archive raises that is cut off, encrypted or none
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # by version of the format
TO_UINT8 = "save uint8: (x * 255).round() for values in [0, 1], ((x + 1) * 127.5).round() for values in [-1, 1]"


def read_npz(path: Path, shape: Shape | None, progress: Progress | None = None) -> ImageSet:
    """Read the images of an `.npz`; shape: C x H x W of the data, None takes the file's.

    Raises EvaluationError for a file that is damaged or has no `arr_0`, and as `read_npy`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            if IMAGES not in members:
                raise image_error(path, f"holds no array {IMAGES}, but {_names(members)}")
            with archive.open(members[IMAGES]) as file:
                images = _read_images(path, file, members[IMAGES].file_size, shape, progress)
            rest = sorted(members.keys() - {IMAGES})
    except EvaluationError:
        raise
    except DAMAGED as error:
        raise damaged(path, error) from error
    return ImageSet(images, f"left out {', '.join(rest)}" if rest else "")


def read_npy(path: Path, shape: Shape | None, progress: Progress | None = None) -> ImageSet:
    """Read the images of an `.npy`; shape: C x H x W of the data, None takes the file's.

    Images are uint8 N x H x W x C with C = 1 or 3, or N x H x W; RGB is grey where R = G = B in every pixel. Raises
    EvaluationError for other types and shapes, with the remedy, and for a damaged file.
    """
    try:
        with path.open("rb") as file:
            images = _read_images(path, file, path.stat().st_size, shape, progress)
    except EvaluationError:
        raise
    except DAMAGED as error:
        raise damaged(path, error) from error
    beside = labels_file(path)
    return ImageSet(images, f"left out {beside.name}" if beside.exists() else "")


def labels_file(path: Path) -> Path:
    """Return where the labels of an `.npy` lie."""
    return path.with_name(f"{path.stem}.labels.npy")


def write_npz(images: Tensor, labels: Tensor | None, path: Path) -> None:
    """Write uint8 N x C x H x W, and int64 labels N, as guided diffusion's sampler does."""
    with written_aside(path) as aside, aside.open("wb") as file:
        arrays = [_last_channels(images)] if labels is None else [_last_channels(images), labels.numpy()]
        np.savez(file, *arrays)


def write_npy(images: Tensor, labels: Tensor | None, path: Path) -> None:
    """Write uint8 N x C x H x W; labels, int64 N, go into a file of their own."""
    if labels is not None:
        with written_aside(labels_file(path)) as aside:
            np.save(aside, labels.numpy())
    with written_aside(path) as aside:
        np.save(aside, _last_channels(images))


def _last_channels(images: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def _read_images(path: Path, file: IO[bytes], size: int, shape: Shape | None, progress: Progress | None) -> Tensor:
    """Read the images of one array of `size` bytes with its header, in parts."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise image_error(path, f"has images in version {version[0]}.{version[1]} of NumPy's format; save uint8")
    stored, fortran, dtype = HEADERS[version](file)
    check_type(path, dtype, file)
    N, H, W, C, shape = check_shape(path, stored, shape)
    if fortran:
        raise image_error(path, "is in Fortran's order; save numpy.ascontiguousarray(images)")
    if (held := size - file.tell()) < N * H * W * C:
        raise image_error(path, f"is damaged: {held:,} bytes are too few for images {N} x {H} x {W} x {C}")
    images = torch.empty(N, *shape, dtype=torch.uint8)
    step = max(1, PART // (H * W * C))
    for start in range(0, N, step):
        n = min(step, N - start)
        content = file.read(n * H * W * C)
        if len(content) < n * H * W * C:
            raise EOFError("its end is missing")
        pixels = np.frombuffer(content, np.uint8).reshape(n, H, W, C)
        if shape[0] < C and (bad := (pixels != pixels[..., :1]).any((1, 2, 3))).any():
            raise image_error(path, f"has colours in image {start + int(bad.argmax())}, but the data is grey")
        images[start : start + n] = torch.from_numpy(pixels[..., : shape[0]].transpose(0, 3, 1, 2).copy())
        if progress:
            progress("reading", start + n, N)
    return images


def check_type(path: Path, dtype: np.dtype[Any], file: IO[bytes]) -> None:
    """Raise EvaluationError unless the values are uint8; say how they are turned into uint8."""
    if dtype.hasobject:
        raise image_error(path, "holds Python objects, which are never unpickled; save uint8 N x H x W x C")
    if dtype.kind == "f":
        values = np.frombuffer(file.read(PART // dtype.itemsize * dtype.itemsize), dtype)
        span = f" from {values.min():.3g} to {values.max():.3g}" if len(values) else ""
        raise image_error(path, f"holds {dtype}{span}, whose range the file does not state; {TO_UINT8}")
    if dtype != np.uint8:
        raise image_error(path, f"holds {dtype}; save uint8 from 0 to 255")


def check_shape(path: Path, stored: tuple[int, ...], shape: Shape | None) -> tuple[int, int, int, int, Shape]:
    """Return N, H, W and C of a stored array, and the shape C x H x W of its images in the data."""
    words = " x ".join(map(str, stored))
    if len(stored) == 3:
        stored = (*stored, 1)
    if len(stored) != 4:
        raise image_error(path, f"has the shape {words}; save N x H x W x C")
    N, H, W, C = stored
    first = stored[1] in (1, 3) and C not in (1, 3)
    if first or (shape and stored[1:] == shape and stored[1:] != (*shape[1:], shape[0])):
        raise image_error(path, f"is N x C x H x W ({words}); save images.transpose(0, 2, 3, 1), N x H x W x C")
    if C not in (1, 3):
        what = "an alpha channel" if C == 4 else f"{C} channels"
        raise image_error(path, f"has {what} ({words}); save N x H x W x C with 1 or 3 channels")
    if 0 in stored:
        raise image_error(path, f"holds no images ({words})")
    if shape is None:
        return N, H, W, C, (C, H, W)
    check_channels_of_files(shape)
    if shape[1:] != (H, W):
        raise image_error(path, f"has images of {H} x {W} pixels, but the data is {shape[1]} x {shape[2]}")
    if shape[0] > C:
        raise image_error(path, f"is grey, but the data has {shape[0]} channels")
    return N, H, W, C, shape


def _names(members: dict[str, Any]) -> str:
    """Describe the arrays of a file that has no images; statistics have an option of their own."""
    if {"mu", "sigma"} <= members.keys():
        return "the statistics mu and sigma; name them as the reference, beside images"
    return f"{', '.join(sorted(members)) or 'nothing'}; save the images with numpy.savez(FILE, images)"
