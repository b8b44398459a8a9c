"""Stacked MNIST and mixtures of the plane go through the whole pipeline, and are told from images where they differ."""

import json
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.load import load
from datamodules import mixtures, stacked_mnist
from models import MODELS

BUDGET = ["preset=smoke", "train.images=64", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4",
          "results=r", "trainer.accelerator=cpu"]  # fmt: skip
POINTS = {
    "vae": [],
    "gan": [],
    "ddpm": ["model.T=20", "samplers=[ancestral-20]"],
    "flow_matching": ["samplers=[euler-20]"],
    "flow_map": ["samplers=[flow-2]"],
    "ncsn": ["model.levels=10"],
    "sohl_dickstein": ["model.T=10"],
    "ddgan": [],
}


def figures(name: str) -> dict[str, float]:
    (file,) = Path("r/records").glob(f"{name}-*.json")
    (result,) = json.loads(file.read_text())["results"].values()
    return result["metrics"]


@pytest.mark.parametrize(
    "model", [model if model == "vae" else pytest.param(model, marks=pytest.mark.slow) for model in MODELS]
)
def test_every_family_trains_on_stacked_mnist(
    model: str, small_mnist: Path, tiny: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked_mnist, "TRAIN", 1000)
    monkeypatch.setattr(stacked_mnist, "TEST", 200)
    assert main(["train", f"model={model}", "data=stacked_mnist", *BUDGET, *tiny[model]]) == 0
    assert figures(model)["fid"] > figures("held-out")["fid"] > 0
    assert "modes" not in figures(model)  # 1,000 triples lack some of the thousand
    assert not list(Path("r/records").glob("raw-pixels-*"))  # no probe is asked to tell a thousand classes


@pytest.mark.parametrize(("model", "data"), [("vae", "grid_25"), *((model, "ring_8") for model in POINTS)])
def test_points_are_trained_on_scored_and_drawn(
    model: str, data: str, small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixtures, "TRAIN", 2000)
    monkeypatch.setattr(mixtures, "TEST", 500)
    assert main(["train", f"model={model}", f"data={data}", "model.hidden=8", *BUDGET, *POINTS[model]]) == 0
    real, found = figures("held-out"), figures(model)
    assert real["high_quality"] > 0.9
    assert real["modes"] > {"grid_25": 20, "ring_8": 7}[data]  # of 64 points
    assert found["high_quality"] < 0.5
    (picture,) = Path("r/pictures").glob(f"{model}-*/*.png")
    assert picture.name.startswith("samples")
    assert main(["table", "preset=smoke", "results=r"]) == 0
    table = Path("r/TABLE.md").read_text()
    assert "✓ where modes is at least 0.9" in table
    assert "Vendi" not in table  # columns that no row fills are left out


def test_points_are_of_the_models_that_have_a_network_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert [config.model["name"] for config in load(["data=grid_25"])] == ["vae", "gan", "ddpm"]
    assert all(config.model["architecture"] == "linear" for config in load(["data=ring_8"]))
    assert main(["train", "model=vqvae", "data=grid_25"]) == 2
    message = "model=vqvae: has no network for data=grid_25; choose from vae, gan, ddpm, "
    assert message in capsys.readouterr().err


def test_data_settings_win_over_the_presets_and_the_command_line_over_both() -> None:
    (config,) = load(["model=ddpm", "data=grid_25", "preset=quick"])
    assert config.train.images == 1_000_000
    assert list(config.samplers) == ["ancestral-200"]
    assert config.evaluation.samples == 2500
    (config,) = load(["model=ddpm", "data=grid_25", "train.images=10"])
    assert config.train.images == 10
    assert load(["model=vae", "data=stacked_mnist"])[0].evaluation.samples == 10_000
    assert load(["model=vae"])[0].train.images == 140_000
