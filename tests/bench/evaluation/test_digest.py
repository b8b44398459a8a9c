"""Tensors are digested by their content, and a file is written whole or not at all; a damaged cache is no cache."""

from pathlib import Path

import pytest
import torch

from bench.evaluation import digest as storage


def test_a_writer_that_fails_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    storage.save({"a": 1}, path)
    with pytest.raises(AttributeError, match="pickle"):
        storage.save({"a": 2, "b": lambda: None}, path)
    assert torch.load(path, weights_only=True) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_digest_sees_names_types_shapes_and_values_but_not_layout() -> None:
    x = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    same = torch.empty(3, 2).T.copy_(x)
    assert storage.digest({"x": x}) == storage.digest({"x": same})
    others = [{"y": x}, {"x": x.double()}, {"x": x.reshape(3, 2)}, {"x": x + 1}, {"x": x, "y": x}]
    assert len({storage.digest(tensors) for tensors in [{"x": x}, *others]}) == 6
