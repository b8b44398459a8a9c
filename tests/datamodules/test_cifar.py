"""CIFAR's reader on small batches, in the official files' own pickle dialect."""

import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.base import DataError
from datamodules.cifar import Cifar10, Cifar100

Write = Callable[[Path, dict[str, bytes]], None]
FOLDER = Cifar10.folder


def python2_batch(pixels: np.ndarray, labels: list[int], key: str = "labels") -> bytes:
    """{key: labels, 'data': pixels} as Python 2's pickle protocol 2 writes it; pixels uint8, n x 3072."""
    data = pixels.tobytes()
    return b"".join(
        [
            b"\x80\x02}(U" + bytes([len(key)]) + key.encode() + b"](",
            *(b"K" + bytes([label]) for label in labels),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01K" + bytes([len(pixels)]) + b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<I", len(data)) + data + b"tbu.",
        ]
    )


def set_digests(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], kind: type = Cifar10) -> None:
    """Make the bytes of `files` the published ones."""
    monkeypatch.setattr(kind, "files", {name: hashlib.md5(data).hexdigest() for name, data in files.items()})


@pytest.fixture
def pixels() -> np.ndarray:
    """6 files of 2 images, n x 3072, of every byte value."""
    return np.random.default_rng(0).integers(0, 256, (6, 2, 3072), dtype=np.uint8)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray) -> dict[str, bytes]:
    """The six files by name; image i has label i % 10."""
    files = {name: python2_batch(pixels[k], [2 * k % 10, (2 * k + 1) % 10]) for k, name in enumerate(Cifar10.files)}
    set_digests(monkeypatch, files)
    return files


def test_reading_inverts_writing(batches: dict[str, bytes], pixels: np.ndarray, write: Write, tmp_path: Path) -> None:
    write(tmp_path / FOLDER, batches)
    data = Cifar10(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    expected = torch.from_numpy(pixels.reshape(12, 3, 32, 32))
    assert torch.equal(data.train_images, expected[:10])
    assert torch.equal(data.test_images, expected[10:])
    assert data.train_labels.tolist() == list(range(10))
    assert data.test_labels.tolist() == [0, 1]
    assert data.train_images.is_contiguous()


def test_cifar_100_has_its_fine_labels(
    pixels: np.ndarray, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "train": python2_batch(pixels[0], [99, 0], "fine_labels"),
        "test": python2_batch(pixels[1], [7, 42], "fine_labels"),
    }
    set_digests(monkeypatch, files, Cifar100)
    write(tmp_path / Cifar100.folder, files)
    data = Cifar100(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    assert torch.equal(data.train_images, torch.from_numpy(pixels[0].reshape(2, 3, 32, 32)))
    assert torch.equal(data.test_images, torch.from_numpy(pixels[1].reshape(2, 3, 32, 32)))
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([99, 0], [7, 42])


@pytest.mark.parametrize("kind", [Cifar10, Cifar100])
def test_the_table_is_torchvisions(kind: type[Cifar10] | type[Cifar100]) -> None:
    from torchvision import datasets

    theirs = getattr(datasets, kind.source)
    assert list(kind.files.items()) == [tuple(entry) for entry in [*theirs.train_list, *theirs.test_list]]
    assert kind.folder == theirs.base_folder


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:99] + b"\0" + data[100:], lambda _: b""])
def test_a_damaged_file_is_named_before_it_is_unpickled(
    batches: dict[str, bytes],
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes],
) -> None:
    write(tmp_path / FOLDER, batches | {"data_batch_1": damage(batches["data_batch_1"])})
    monkeypatch.setattr("datamodules.cifar._ArrayUnpickler", None)
    with pytest.raises(DataError, match=f"^{tmp_path}/{FOLDER}/data_batch_1 .*has md5"):
        Cifar10(root=str(tmp_path)).setup()


class Malice:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_code_in_a_pickle_is_run(
    batches: dict[str, bytes], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = batches | {"test_batch": pickle.dumps(Malice(tmp_path / "harm"), protocol=2)}
    set_digests(monkeypatch, files)
    write(tmp_path / FOLDER, files)
    with pytest.raises(DataError, match=f"^{tmp_path}/{FOLDER}/test_batch is not a pickle of arrays: it calls "):
        Cifar10(root=str(tmp_path)).setup()
    assert not (tmp_path / "harm").exists()


def test_missing_files_are_downloaded_once_and_damaged_ones_never(
    batches: dict[str, bytes], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = []

    def download_locally(root: Path, download: bool) -> None:
        roots.append(root)
        write(root / FOLDER, batches)

    monkeypatch.setattr("torchvision.datasets.CIFAR10", download_locally)
    write(tmp_path / FOLDER, {"test_batch": b"damaged"})
    with pytest.raises(DataError, match=r"test_batch .*has md5"):
        Cifar10(root=str(tmp_path)).prepare_data()
    assert roots == []
    (tmp_path / FOLDER / "test_batch").unlink()
    for _ in range(2):
        data = Cifar10(root=str(tmp_path))
        data.prepare_data()
        data.setup()
    assert roots == [tmp_path]


def test_without_network_the_error_names_folder_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(root: Path, download: bool) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fail)
    with pytest.raises(DataError, match=rf"^CIFAR-10 needs .*test_batch in {tmp_path}/{FOLDER} .*\(no network\)\.$"):
        Cifar10(root=str(tmp_path)).prepare_data()
    with pytest.raises(DataError, match=f"^CIFAR-10 needs .* in {tmp_path}/{FOLDER} .*none of them is there.$"):
        Cifar10(root=str(tmp_path)).setup()
