"""SVHN: MATLAB's files, read as torchvision reads them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision.datasets import SVHN as theirs

from datamodules.base import DataError
from datamodules.svhn import Svhn
from tests.datamodules.conftest import md5

Write = Callable[[Path, dict[str, bytes]], None]


def test_the_table_is_torchvisions() -> None:
    assert list(Svhn.files.items()) == [tuple(theirs.split_list[split][1:]) for split in ("train", "test")]


@pytest.fixture
def files(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Both files, of 12 and 10 images whose labels are 1 .. 10 and again from 1 on."""
    rng = np.random.default_rng(0)
    files = {}
    for name, split, count in zip(Svhn.files, ("train", "test"), (12, 10), strict=True):
        stream = io.BytesIO()
        images = rng.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]
        savemat(stream, {"X": images, "y": labels}, do_compression=True)
        files[name] = stream.getvalue()
        monkeypatch.setitem(theirs.split_list, split, ["", name, md5(files[name])])
    monkeypatch.setattr(Svhn, "files", {name: md5(data) for name, data in files.items()})
    write(tmp_path, files)
    return files


def test_images_and_labels_are_torchvisions(files: dict[str, bytes], tmp_path: Path) -> None:
    data = Svhn(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    for images, labels, split in (
        (data.train_images, data.train_labels, "train"), (data.test_images, data.test_labels, "test"),
    ):  # fmt: skip
        reference = theirs(tmp_path, split=split)
        assert torch.equal(images, torch.from_numpy(reference.data.copy()))
        assert labels.tolist() == reference.labels.tolist()
        assert images.is_contiguous()
    assert data.train_labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]


def test_a_damaged_file_is_named_before_it_is_parsed(files: dict[str, bytes], write: Write, tmp_path: Path) -> None:
    write(tmp_path, {"test_32x32.mat": files["test_32x32.mat"][:-1]})
    with pytest.raises(DataError, match=f"^{tmp_path}/test_32x32.mat .*has md5"):
        Svhn(root=str(tmp_path)).setup()
