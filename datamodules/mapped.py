"""Decoded images in memory, or, where they would fill it, in a file that is mapped into it.

The file lies in DEFAULT_ROOT/images. Its name has a digest of what was decoded and how, so images that have changed are
decoded again; the file that they had before is deleted. It is written aside and renamed: another process sees it whole
or not at all.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from datamodules.base import DataError
from datamodules.files import root_folder

SHARE = 0.25  # of the available memory, up to which images are held in it: several runs may share a machine
VERSION = 1  # of the decoding; raised where the same files give other pixels
ENDING = ".images"

Fill = Callable[[Tensor], None]  # writes all images, uint8 N x C x H x W


def held(shape: tuple[int, int, int, int], fill: Fill, subject: str, sources: Iterable[object]) -> tuple[Tensor, str]:
    """Return images, uint8 N x C x H x W, that `fill` writes, and a note on the file that they are mapped from, or "".

    subject: what the images are of, as their folder and the size; of one subject there is one file. sources: all that
    the pixels depend on. Raises DataError where the file does not fit on its disk or cannot be written.
    """
    size = math.prod(shape)
    if size <= SHARE * available_memory():
        images = torch.empty(shape, dtype=torch.uint8)
        fill(images)
        return images, ""
    folder = root_folder(None) / "images"
    stem = hashlib.sha256(subject.encode()).hexdigest()[:12]
    digest = hashlib.sha256(repr((VERSION, shape, *sources)).encode()).hexdigest()[:16]
    file = folder / f"{stem}-{digest}{ENDING}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{stem}.lock"):
            if not (file.is_file() and file.stat().st_size == size):
                write(file, shape, fill, stem)
    except OSError as error:
        raise DataError(f"{file}: decoded images cannot be kept here ({error.strerror or error}).") from error
    return mapped(file, shape), f"{size / 2**30:.1f} GB of decoded images are mapped from {file}"


def file_facts(path: Path) -> tuple[str, int, int]:
    """Return what tells whether a file has changed: its path, its size in bytes, and when it was written."""
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def write(file: Path, shape: tuple[int, int, int, int], fill: Fill, stem: str) -> None:
    """Write the images to `file`, and delete the file that the subject `stem` had before."""
    size, free = math.prod(shape), shutil.disk_usage(file.parent).free
    for old in file.parent.glob(f"{stem}-*"):  # also what a killed process has left
        free += old.stat().st_size
        old.unlink()
    if size > free:
        raise DataError(
            f"{file.parent}: the decoded images take {size / 2**30:.1f} GB, but {free / 2**30:.1f} GB are free here; "
            "free some, set HOME to a larger disk, or choose a smaller data.size."
        )
    aside = file.with_suffix(".part")
    try:
        with aside.open("wb") as stream:
            reserve(stream.fileno(), size)
            fill(mapped(aside, shape, shared=True))
            os.fsync(stream.fileno())
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size, with all of it on the disk where the system can: a mapped write has no error to raise."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def mapped(file: Path, shape: tuple[int, int, int, int], shared: bool = False) -> Tensor:
    """Map a file as uint8 of this shape; shared: what is written to the tensor goes into the file."""
    return torch.from_file(str(file), shared=shared, size=math.prod(shape), dtype=torch.uint8).view(shape)


def available_memory() -> int:
    """Return the bytes that this process may still take: of the machine, or of its control group if that is less."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # no Linux: half of what is installed
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    try:
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text().strip() for name in ("max", "current"))
        return min(machine, int(limit) - int(used))
    except (OSError, ValueError):  # no control group, or "max": no limit
        return machine
