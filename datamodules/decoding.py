"""Image files of any size, decoded to 8-bit squares of one size, several at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
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
from datamodules.mapped import held

PROGRESS_FROM = 2_000  # files; fewer are read in the time it takes to read the bar
QUEUED = 1_000  # files that wait for a thread; each takes a kilobyte of memory

T = TypeVar("T")


@dataclass(frozen=True)
class Encoded:
    """An encoded image that is no file of its own. place: its name in messages. read: returns its bytes."""

    place: str
    read: Callable[[], bytes]

    def __str__(self) -> str:
        return self.place


Source = Path | Encoded


def decoded(sources: Sequence[Source], size: int, subject: str, facts: Iterable[object]) -> tuple[Tensor, list[str]]:
    """Return the images in the order of `sources`, uint8 N x C x size x size, and notes for the user.

    C is 1 if all of them are 8-bit greyscale, else 3. Images that would fill the memory are mapped from a file, see
    `held`. subject: what the images are of. facts: all that their pixels depend on beside the size.
    """
    grey, several = survey(sources)
    notes = [f"files of several images: {several:,}; the first image of each is taken"] if several else []
    shape = (len(sources), 1 if grey else 3, size, size)
    images, note = held(shape, partial(decode, sources), subject, facts)
    return images, [*notes, note] if note else notes


def survey(sources: Sequence[Source]) -> tuple[bool, int]:
    """Return whether every image is 8-bit greyscale, and how many files hold several, as animations and scans do.

    Raises DataError for the first file, in the order of `sources`, that is no image or has more than 8 bits a channel.
    """

    def look(source: Source) -> tuple[bool, bool]:
        with open_picture(source) as picture:
            # of a camera's MPO file, the others are previews or the same scene for the other eye
            return picture.mode == "L", picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1

    findings = list(in_parallel(look, sources, "Reading the files' headers"))
    return all(grey for grey, _ in findings), sum(several for _, several in findings)


def decode(sources: Sequence[Source], images: Tensor) -> None:
    """Write the images in the order of `sources` into `images`, uint8 N x C x size x size; C = 1 is greyscale, 3 RGB.

    Each is turned upright as its EXIF says, scaled (Lanczos) until its shorter side has `size` pixels, and cropped to
    the centre. Raises DataError for the first of them, in that order, that cannot be decoded.
    """
    _, channels, size, _ = images.shape
    pixels = images.numpy()

    def fill(number: int) -> None:
        with open_picture(sources[number]) as picture:
            upright = ImageOps.exif_transpose(picture).convert("L" if channels == 1 else "RGB")
            square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
            pixels[number] = np.array(square).reshape(size, size, channels).transpose(2, 0, 1)

    for _ in in_parallel(fill, range(len(sources)), "Decoding images"):
        pass


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
def open_picture(source: Source) -> Iterator[Image.Image]:
    """Open an encoded image; any failure to open or decode it becomes a DataError."""
    try:
        with Image.open(source if isinstance(source, Path) else BytesIO(source.read())) as picture:
            if kind := _deep(picture):
                raise DataError(f"{source} has more than 8 bits a channel ({kind}); save it with 8.")
            yield picture
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise DataError(f"{source} cannot be decoded: {error}.") from error


def _deep(picture: Image.Image) -> str:
    """Pillow's name of what a file stores if it has more than 8 bits a channel; empty otherwise.

    Pillow would clip such greys and cut such colours to 8 bits without a word.
    """
    if picture.mode[0] in "IF":
        return picture.mode
    stored = (tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(picture, "tile", ()))
    return next((mode for mode in stored if isinstance(mode, str) and ";16" in mode), "")
