"""Image files of any size, decoded to 8-bit squares of one size, several at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track
from torch import Tensor

from datamodules.base import DataError

PROGRESS_FROM = 2_000  # files; fewer are read in the time it takes to read the bar
QUEUED = 1_000  # files that wait for a thread; each takes a kilobyte of memory

T = TypeVar("T")


def survey(paths: Sequence[Path]) -> tuple[bool, int]:
    """Return whether every file is 8-bit greyscale, and how many hold several images, as animations and scans do.

    Raises DataError for the first file, in the order of `paths`, that is no image or has more than 8 bits a channel.
    """

    def look(path: Path) -> tuple[bool, bool]:
        with open_picture(path) as picture:
            # of a camera's MPO file, the others are previews or the same scene for the other eye
            return picture.mode == "L", picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1

    findings = list(in_parallel(look, paths, "Reading the files' headers"))
    return all(grey for grey, _ in findings), sum(several for _, several in findings)


def decode(paths: Sequence[Path], size: int, grey: bool) -> Tensor:
    """Return the images in the order of `paths`, uint8, N x 1 x size x size for `grey`, else N x 3 x size x size.

    Each is turned upright as its EXIF says, scaled (Lanczos) until its shorter side has `size` pixels, and cropped to
    the centre. Raises DataError for the first file, in that order, that cannot be decoded.
    """
    mode, channels = ("L", 1) if grey else ("RGB", 3)
    images = np.empty((len(paths), channels, size, size), dtype=np.uint8)

    def fill(number: int) -> None:
        with open_picture(paths[number]) as picture:
            upright = ImageOps.exif_transpose(picture).convert(mode)
            square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
            images[number] = np.array(square).reshape(size, size, channels).transpose(2, 0, 1)

    for _ in in_parallel(fill, range(len(paths)), "Decoding images"):
        pass
    return torch.from_numpy(images)


def in_parallel(work: Callable[..., T], items: Sequence[object], description: str) -> Iterator[T]:
    """Yield the results of `work` in the order of the items, as many at a time as torch has threads, with a bar.

    The first error, in that order, is raised, and items that no thread has begun are left. Threads suffice, because
    Pillow decodes and scales without Python's global lock.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        queues = (pool.map(work, items[start : start + QUEUED]) for start in range(0, len(items), QUEUED))
        yield from track(
            chain.from_iterable(queues),
            description,
            total=len(items),
            console=Console(stderr=True),
            disable=len(items) < PROGRESS_FROM,
        )


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open the picture of a file; any failure to open or decode it becomes a DataError."""
    try:
        with Image.open(path) as picture:
            if kind := _deep(picture):
                raise DataError(f"{path} has more than 8 bits a channel ({kind}); save it with 8.")
            yield picture
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise DataError(f"{path} cannot be decoded: {error}.") from error


def _deep(picture: Image.Image) -> str:
    """Pillow's name of what a file stores if it has more than 8 bits a channel; empty otherwise.

    Pillow would clip such greys and cut such colours to 8 bits without a word.
    """
    if picture.mode[0] in "IF":
        return picture.mode
    stored = (tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(picture, "tile", ()))
    return next((mode for mode in stored if isinstance(mode, str) and ";16" in mode), "")
