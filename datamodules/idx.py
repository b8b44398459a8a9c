"""The IDX format of MNIST and of the sets made in its image (http://yann.lecun.com/exdb/mnist/)."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datamodules.base import DataError, Split
from datamodules.files import absence, check_md5, read_bytes, root_folder
from datamodules.published import PublishedSet

UNSIGNED_BYTE = 8  # the format's code of the only element type that these sets use


@dataclass(frozen=True)
class IdxFile:
    """One published file: its name unpacked, the md5 of name.gz, the md5 unpacked, and the shape of its content.

    An md5 is None where none is published: the file is then known by its header and its length.
    """

    name: str
    md5_gz: str | None
    md5: str | None
    shape: tuple[int, ...]

    def find(self, folders: Sequence[Path]) -> Path | None:
        """The first of folder/name.gz and folder/name that exists, over `folders` in order."""
        candidates = (folder / name for folder in folders for name in (f"{self.name}.gz", self.name))
        return next((path for path in candidates if path.is_file()), None)

    def read(self, path: Path) -> Tensor:
        """The uint8 content of `path`, packed or not; DataError unless it is the published file.

        The digest comes last: what a wrong file is instead says more than that its digest differs.
        """
        stored = read_bytes(path)
        packed = path.suffix == ".gz"
        data = _unpack(path, stored) if packed else stored
        header = struct.pack(f">4B{len(self.shape)}I", 0, 0, UNSIGNED_BYTE, len(self.shape), *self.shape)
        begin = data[: len(header)]
        if begin != header:
            raise DataError(
                f"{path} begins with {begin.hex()}, but an IDX file of {_times(self.shape)} bytes with {header.hex()}."
            )
        expected = len(header) + math.prod(self.shape)
        if len(data) != expected:
            raise DataError(
                f"{path} has {len(data):,} bytes, but a header and {_times(self.shape)} bytes make {expected:,}."
            )
        if md5 := self.md5_gz if packed else self.md5:
            check_md5(path, stored, md5)
        return torch.from_numpy(np.frombuffer(data, np.uint8, offset=len(header)).reshape(self.shape).copy())


@dataclass(frozen=True)
class IdxSet:
    """A dataset's title and its files: training images, training labels, test images, test labels."""

    title: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]

    def absence(self, folders: Sequence[Path]) -> str | None:
        """What is missing from `folders`, as a sentence without its full stop; None when all four are there."""
        names = [f"{file.name}.gz" for file in self.files]
        missing = [name for name, file in zip(names, self.files, strict=True) if file.find(folders) is None]
        return absence(self.title, names, folders, missing) if missing else None

    def check(self, folders: Sequence[Path]) -> None:
        """Raise DataError for a file that is there but is not the published one; absent files pass."""
        for file in self.files:
            if path := file.find(folders):
                file.read(path)

    def load(self, folders: Sequence[Path]) -> tuple[Split, Split]:
        """The training and the test split, each file from the first of `folders` that has it."""
        if sentence := self.absence(folders):
            raise DataError(f"{sentence}.")
        contents = [file.read(path) for file in self.files if (path := file.find(folders))]
        train_images, train_labels, test_images, test_labels = contents
        train = Split(train_images.unsqueeze(1), train_labels.long())
        test = Split(test_images.unsqueeze(1), test_labels.long())
        return train, test


class PublishedIdx(PublishedSet):
    """A published set in the IDX format: `idx_set`, in root/folder, torchvision's layout, or in root.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a file that is not the published one; such a file is never replaced.
    """

    idx_set: ClassVar[IdxSet]

    def absence(self) -> str | None:
        """Say which of the four files are missing."""
        return self.idx_set.absence(self._folders())

    def check(self) -> None:
        """Check those of the four files that are there."""
        self.idx_set.check(self._folders())

    def load(self) -> tuple[Split, Split]:
        """Read the four IDX files."""
        return self.idx_set.load(self._folders())

    def _folders(self) -> list[Path]:
        return [self.place, root_folder(self.root)]


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


def _unpack(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} ({len(data):,} bytes) is not a whole gzip file: {error}.") from error
