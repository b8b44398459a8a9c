"""The IDX reader returns what was written, and says of any other file what it is instead."""

import gzip
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.base import DataError
from datamodules.idx import IdxSet, PublishedIdx

Small = tuple[IdxSet, dict[str, bytes]]
Write = Callable[[Path, dict[str, bytes]], None]

IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "unpacked"])
def test_reading_inverts_writing(small_idx: Small, write: Write, tmp_path: Path, packed: bool) -> None:
    idx_set, files = small_idx
    unpacked = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in files.items()}
    write(tmp_path, files if packed else unpacked)
    train, test = idx_set.load([tmp_path / "nowhere", tmp_path])
    expected = np.frombuffer(unpacked[IMAGES][16:], np.uint8).reshape(5, 1, 4, 6)
    assert torch.equal(train.images, torch.from_numpy(expected.copy()))
    assert train.labels.tolist() == list(unpacked["train-labels-idx1-ubyte"][8:])
    assert test.labels.tolist() == list(unpacked["t10k-labels-idx1-ubyte"][8:])
    assert test.images.shape == (3, 1, 4, 6)
    assert train.labels.dtype == torch.int64


def test_the_first_folder_and_there_the_packed_file_come_first(small_idx: Small, write: Write, tmp_path: Path) -> None:
    file = small_idx[0].files[0]
    first, second = tmp_path / "first", tmp_path / "second"
    write(second, {f"{IMAGES}.gz": b"", IMAGES: b""})
    assert file.find([first, second]) == second / f"{IMAGES}.gz"
    write(first, {IMAGES: b""})
    assert file.find([first, second]) == first / IMAGES
    assert file.find([tmp_path]) is None


def rewritten(data: bytes, at: int, value: bytes) -> bytes:
    """A gzip file like `data` whose content differs at `at`."""
    content = gzip.decompress(data)
    return gzip.compress(content[:at] + value + content[at + len(value) :])


DAMAGES = {
    "not gzip": (lambda data: b"<html>404</html>", "is not a whole gzip file"),
    "empty": (lambda data: b"", "begins with , but"),
    "truncated": (lambda data: data[:-20], "is not a whole gzip file"),
    "flipped byte": (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "is not a whole gzip file"),
    "wrong magic": (lambda data: rewritten(data, 2, b"\x0d"), "begins with 00000d03"),
    "wrong dimensions": (lambda data: rewritten(data, 3, b"\x01"), "begins with 00000801"),
    "wrong count": (lambda data: rewritten(data, 4, struct.pack(">I", 7)), "begins with 0000080300000007"),
    "short content": (
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        "has 135 bytes, but .*5 x 4 x 6 bytes make 136",
    ),
    "long content": (lambda data: gzip.compress(gzip.decompress(data) + b"\0"), "has 137 bytes, but .* make 136"),
    "other pixels": (lambda data: rewritten(data, 50, b"\xff"), "has md5 .* but the official file has"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_names_the_file_and_what_was_expected(
    small_idx: Small, write: Write, tmp_path: Path, damage: str
) -> None:
    idx_set, files = small_idx
    change, message = DAMAGES[damage]
    write(tmp_path, files | {f"{IMAGES}.gz": change(files[f"{IMAGES}.gz"])})
    for refused in (idx_set.load, idx_set.check):
        with pytest.raises(DataError, match=f"^{tmp_path}/{IMAGES}.gz .*{message}"):
            refused([tmp_path])


def test_an_unpacked_file_has_a_digest_of_its_own(small_idx: Small, write: Write, tmp_path: Path) -> None:
    idx_set, files = small_idx
    write(tmp_path, {IMAGES: gzip.decompress(rewritten(files[f"{IMAGES}.gz"], 50, b"\xff"))})
    with pytest.raises(DataError, match=f"{IMAGES} .*has md5"):
        idx_set.check([tmp_path])


def test_missing_files_are_named_with_their_folders(small_idx: Small, write: Write, tmp_path: Path) -> None:
    idx_set, files = small_idx
    del files["t10k-labels-idx1-ubyte.gz"]
    write(tmp_path, files)
    idx_set.check([tmp_path])
    with pytest.raises(DataError, match=f"^Small needs .* in {tmp_path} .* lacks t10k-labels-idx1-ubyte.gz.$"):
        idx_set.load([tmp_path])


def test_the_shape_is_part_of_what_is_expected(small_idx: Small, write: Write, tmp_path: Path) -> None:
    idx_set, files = small_idx
    write(tmp_path, files)
    transposed = replace(idx_set.files[0], shape=(5, 6, 4))
    with pytest.raises(DataError, match="an IDX file of 5 x 6 x 4 bytes"):
        transposed.read(tmp_path / f"{IMAGES}.gz")


def test_without_a_digest_a_file_is_known_by_its_header_and_length(
    small_idx: Small, write: Write, tmp_path: Path
) -> None:
    idx_set, files = small_idx
    packed = rewritten(files[f"{IMAGES}.gz"], 50, b"\xff")
    write(tmp_path, {f"{IMAGES}.gz": packed})
    file = replace(idx_set.files[0], md5_gz=None, md5=None)
    content = np.frombuffer(gzip.decompress(packed)[16:], np.uint8).reshape(5, 4, 6).copy()
    assert torch.equal(file.read(tmp_path / f"{IMAGES}.gz"), torch.from_numpy(content))
    with pytest.raises(DataError, match="begins with 00000803"):
        replace(file, shape=(6, 4, 5)).read(tmp_path / f"{IMAGES}.gz")


def test_a_published_set_is_read_in_torchvisions_folder_first(small_idx: Small, write: Write, tmp_path: Path) -> None:
    class Small(PublishedIdx):
        source = "none"
        folder = "Small/raw"
        idx_set = small_idx[0]

    data = Small(root=str(tmp_path))
    assert str(data.absence()).startswith(f"Small needs the files {IMAGES}.gz, ")
    write(tmp_path, {f"{IMAGES}.gz": b"damaged"})
    with pytest.raises(DataError, match="is not a whole gzip file"):
        data.check()
    write(tmp_path / "Small/raw", small_idx[1])
    assert data.absence() is None
    data.setup()
    assert len(data.train_images) == 5
