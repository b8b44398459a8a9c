"""Kuzushiji-MNIST: torchvision's table, and its layout."""

from collections.abc import Callable
from pathlib import Path

import pytest
from torchvision.datasets import KMNIST as theirs

from datamodules.idx import IdxSet
from datamodules.kmnist import KMNIST, Kmnist

Write = Callable[[Path, dict[str, bytes]], None]


def test_the_table_is_torchvisions() -> None:
    assert [(f"{file.name}.gz", file.md5_gz) for file in KMNIST.files] == theirs.resources


def test_it_is_read_where_torchvision_has_it(
    small_idx: tuple[IdxSet, dict[str, bytes]], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kmnist, "idx_set", small_idx[0])
    write(tmp_path / "KMNIST" / "raw", small_idx[1])
    data = Kmnist(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    assert (len(data.train_images), len(data.test_images)) == (5, 3)
