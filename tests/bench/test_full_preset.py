"""Preset `full`, as far as a machine without a GPU can tell: its networks build and train, and all steps are judged."""

from pathlib import Path

import pytest

from bench.cli import main
from bench.config import load
from bench.records import read_all
from bench.run import build_model
from models import MODELS

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.mark.parametrize("data", SHAPES)
def test_every_network_is_larger_than_that_of_quick(data: str) -> None:
    full, quick = (load([f"preset={preset}", f"data={data}"]) for preset in ("full", "quick"))
    assert [config.model["name"] for config in full] == [config.model["name"] for config in quick]
    for large, small in zip(full, quick, strict=True):
        networks = [build_model(config, SHAPES[data]) for config in (large, small)]
        weights = [sum(weight.numel() for weight in network.parameters()) for network in networks]
        assert weights[0] > 2 * weights[1], large.model
        assert large.train.images > small.train.images
        assert large.evaluation.samples >= 10_000


def test_ddpm_is_judged_with_all_its_steps() -> None:
    (config,) = load(["preset=full", "model=ddpm"])
    assert config.model["T"] == config.samplers["ancestral-1000"]["steps"] == 1000
    assert config.evaluation.timed_only == []


@pytest.mark.slow
def test_each_family_trains_and_is_judged_when_cut_to_two_batches(tmp_path: Path) -> None:
    cut = ["train.images=32", "train.batch=16", "evaluation.samples=32", "evaluation.chunk=16"]
    cut += ["evaluation.timed_images=2", "evaluation.repeats=1", "trainer.accelerator=cpu", f"results={tmp_path}"]
    for model in MODELS:
        sampler = ["samplers=[ddim-10]"] if model == "ddpm" else []
        assert main(["train", "preset=full", f"model={model}", *cut, *sampler]) == 0
    runs = {run.config["model"]["name"]: run for run in read_all(tmp_path) if run.images_seen}
    assert set(runs) == set(MODELS)
    for run in runs.values():
        assert run.images_seen == 32
        assert all("fid" in result.metrics for result in run.results.values())
    assert main(["table", "preset=full", f"results={tmp_path}"]) == 0
