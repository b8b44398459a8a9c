"""Small local stand-ins for the published files, and a dataset whose labels tell its images apart."""

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.base import ImageDataModule, Split
from datamodules.idx import IdxFile, IdxSet


def idx_bytes(array: np.ndarray) -> bytes:
    """`array`, uint8, in the IDX format, written independently of the reader."""
    sizes = b"".join(struct.pack(">I", size) for size in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def md5(data: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def small_idx() -> tuple[IdxSet, dict[str, bytes]]:
    """A set of 5 + 3 images of 4 x 6 pixels: its description, and the packed bytes of its files by name."""
    rng = np.random.default_rng(0)
    shapes = {
        "train-images-idx3-ubyte": (5, 4, 6),
        "train-labels-idx1-ubyte": (5,),
        "t10k-images-idx3-ubyte": (3, 4, 6),
        "t10k-labels-idx1-ubyte": (3,),
    }
    files, packed = [], {}
    for name, shape in shapes.items():
        data = idx_bytes(rng.integers(0, 10, shape, dtype=np.uint8))
        packed[f"{name}.gz"] = gzip.compress(data)
        files.append(IdxFile(name, md5(packed[f"{name}.gz"]), md5(data), shape))
    return IdxSet("Small", (files[0], files[1], files[2], files[3])), packed


@pytest.fixture
def write() -> Callable[[Path, dict[str, bytes]], None]:
    """Writes files, given by name, into a folder that is made."""

    def write_files(folder: Path, files: dict[str, bytes]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)

    return write_files


class Numbered(ImageDataModule):
    """23 training images of 2 x 2 pixels; image i has label i and the pixels i, i + 100, i + 200, i."""

    def load(self) -> tuple[Split, Split]:
        """Make them."""
        numbers = torch.arange(23)
        pixels = (numbers[:, None] + torch.tensor([0, 100, 200, 0])).to(torch.uint8).reshape(-1, 1, 2, 2)
        return Split(pixels, numbers), Split(pixels[:5], numbers[:5])


@pytest.fixture
def numbered() -> type[Numbered]:
    """The class, for tests that need several instances."""
    return Numbered
