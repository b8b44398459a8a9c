"""What the tests of trainings share: data, a short training, and curves with points in it."""

from pathlib import Path

import pytest

import models.base
from bench.config.load import load
from bench.results import records
from bench.results.identity import run_id
from bench.runs.build import build_data, build_model, data_spec
from bench.training import callbacks, fit
from datamodules.base import ImageDataModule
from tests.bench.training.interrupted import BUDGET, Tiny, Train


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Curves with points in so short a training, and results folders in the test's own folder."""
    for module in (models.base, callbacks, fit):
        monkeypatch.setattr(module, "LOG_EVERY", 5)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def data() -> ImageDataModule:
    return build_data(load(["model=vae", *BUDGET])[0])


@pytest.fixture
def train(data: ImageDataModule, tiny: Tiny) -> Train:
    """The training of `bench train` alone, into a results folder below the working folder."""

    def train(model: str, results: str) -> records.Record:
        (config,) = load([f"model={model}", f"results={results}", *BUDGET, *tiny[model]])
        folder = Path(results) / "runs" / run_id(config)
        return fit.train(config, build_model(config, data_spec(data)), data, folder)

    return train
