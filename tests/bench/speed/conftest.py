"""Cheap trainings without a word, for comparisons of two loops."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.config.load import load
from bench.config.schema import Config
from bench.runtime import console as progress

Tiny = Callable[[str], Config]


@pytest.fixture
def configured(small_mnist: Path, tiny: dict[str, list[str]]) -> Tiny:
    """A function: a cheap version of a family, whose rate falls visibly in the batches of these tests."""

    def config(model: str) -> Config:
        budget = ["train.batch=16", f"train.images={16 * 64}", "trainer.accelerator=cpu", f"results={small_mnist}"]
        more = {"ddpm": ["model.warmup=10", "model.snapshot=null"], "pixel_ar": ["model.patch=4"]}
        return load([f"model={model}", *budget, *tiny[model], *more.get(model, [])])[0]

    return config


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.console, "quiet", True)
