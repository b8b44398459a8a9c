"""Sweeps whose cells take a second or two: points of a plane, which need no images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from bench.results import records

FIXED = [
    "preset=smoke", "data=ring_8", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4",
    "trainer.accelerator=cpu",
]  # fmt: skip
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a sweep file into the test's folder, which is the working folder; a list is a parameter's values."""
    monkeypatch.chdir(tmp_path)

    def write(parameters: dict[str, Any], *fixed: str, **keys: Any) -> Path:
        content: dict[str, Any] = {
            "method": "grid",
            "parameters": {k: v if isinstance(v, dict) else {"values": v} for k, v in parameters.items()},
            "command": ["${env}", "bench", "train", *FIXED, *fixed, "${args_no_hyphens}"],
        } | keys
        file = tmp_path / "sweep.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return file

    return write


@pytest.fixture
def figures() -> Callable[[Path], dict[tuple[str, str, str], float]]:
    """All metrics of a results folder by record, protocol and name."""
    return lambda results: {
        (one.run_id, protocol, name): value
        for one in records.read_all(results)
        for protocol, row in one.results.items()
        for name, value in row.metrics.items()
    }


@pytest.fixture
def weights() -> Callable[[Path], dict[str, torch.Tensor]]:
    """The final weights of the one run of a results folder."""

    def weights(results: Path) -> dict[str, torch.Tensor]:
        (file,) = results.glob("runs/*/final.ckpt")
        kept: dict[str, torch.Tensor] = torch.load(file, weights_only=True)["state_dict"]
        return kept

    return weights
