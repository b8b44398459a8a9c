"""EMNIST: torchvision's files, read as torchvision reads them but upright."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.datasets import EMNIST as theirs

from datamodules.emnist import EMNIST, TEST, TRAIN, Emnist
from tests.datamodules.conftest import idx_bytes

Write = Callable[[Path, dict[str, bytes]], None]


def test_the_counts_are_those_of_balanced_classes() -> None:
    """47 classes of 2,400 + 400 characters."""
    classes = len(theirs.classes_split_dict["balanced"])
    assert (classes * 2400, classes * 400) == (TRAIN, TEST)


@pytest.fixture
def content(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What small files in torchvision's layout hold, by name."""
    shapes = [(5, 28, 28), (5,), (3, 28, 28), (3,)]
    files: Any = tuple(replace(file, shape=shape) for file, shape in zip(EMNIST.files, shapes, strict=True))
    monkeypatch.setattr(Emnist, "idx_set", replace(EMNIST, files=files))
    rng = np.random.default_rng(0)
    arrays = {file.name: rng.integers(0, 47, file.shape, dtype=np.uint8) for file in files}
    write(tmp_path / "EMNIST" / "raw", {name: idx_bytes(array) for name, array in arrays.items()})
    return arrays


def test_images_are_torchvisions_transposed(content: dict[str, np.ndarray], tmp_path: Path) -> None:
    data = Emnist(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    for images, labels, train in (
        (data.train_images, data.train_labels, True), (data.test_images, data.test_labels, False),
    ):  # fmt: skip
        reference = theirs(tmp_path, split="balanced", train=train)
        assert torch.equal(images[:, 0], reference.data.transpose(1, 2))
        assert torch.equal(labels, reference.targets)
        assert images.is_contiguous()
