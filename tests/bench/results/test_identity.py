"""Runs that differ in their seed alone are alike; where and how a run was made is no part of its identity."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from bench.config.load import load
from bench.results.identity import LATER, LATER_DATA, alike, described, headline, identity, run_id, training_seed
from bench.table.build import build
from datamodules import DATAMODULES
from models import MODELS
from tests.bench.records import figures, record

HERE = Path("results")


def test_seeds_are_one_row_wherever_their_data_lay() -> None:
    runs = [record("gan", "gan", seed, {"default": figures(4.0 + seed, 0.4, 0.03)}) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        run.config["data"] = {"name": "mnist", "root": f"/home/{seed}"}
    assert [row.seeds for row in build(runs, HERE).rows] == [2]


def test_records_that_differ_in_their_seed_alone_are_alike() -> None:
    one, other = (record("gan", "gan", seed, {"default": figures(5, 0.4, 0.03)}) for seed in (0, 1))
    assert identity(one) == identity(other)
    assert alike(one.config) == alike(other.config)
    assert (training_seed(one), training_seed(other)) == (0, 1)
    other.precision = "bf16-mixed"
    assert identity(one) != identity(other)
    assert alike(one.config) == alike(other.config), "precision is no setting of the model"


@pytest.mark.parametrize(
    "change", ["seed=1", "model.beta=2.0", "train.batch=64", "preset=smoke", "trainer.precision=32-true"]
)
def test_a_runs_id_has_its_model_data_and_seed_and_a_hash_of_what_trains_it(change: str) -> None:
    (config,), (changed,) = load(["model=vae"]), load(["model=vae", change])
    assert run_id(config).startswith("vae-mnist-0-")
    assert run_id(changed) != run_id(config)
    (elsewhere,) = load(["model=vae", "results=/else", "data.root=/data", "evaluation.samples=500"])
    assert run_id(elsewhere) == run_id(config)


def test_a_setting_that_came_later_leaves_recorded_runs_what_they_are() -> None:
    """The run_id of a published run is that of its command, and its record is one row with new records of it."""
    (config,) = load(["model=gan", "preset=quick"])
    assert run_id(config) == "gan-mnist-0-b149754e"
    recorded = {key: value for key, value in config.model.items() if key not in LATER["gan"]}
    old, new = (record("gan", "gan", seed, {"default": figures(5, 0.4, 0.03)}) for seed in (0, 1))
    old.config["model"], new.config["model"] = recorded, config.model
    assert identity(old) == identity(new)
    assert described(old.config)["model"] == config.model
    for change in ("model.loss=relativistic", "model.penalty=r1+r2"):
        (changed,) = load(["model=gan", "preset=quick", change])
        assert run_id(changed) != run_id(config)
        assert alike(changed.model_dump()) != alike(config.model_dump())


def test_a_later_setting_of_data_leaves_recorded_runs_what_they_are() -> None:
    words = ["model=vae", "data=image_folder", "data.root=/x", "train.images=140_000"]
    (config,) = load(words)
    assert run_id(config) == "vae-image_folder-0-ff84a646"
    old = config.model_dump()
    old["data"] = {"name": "image_folder", "root": "/y", "size": 64}
    assert alike(old) == alike(config.model_dump())
    for change in ("data.classes=folders", "data.classes=labels.csv", "data.held_out=test"):
        (changed,) = load([*words, change])
        assert run_id(changed) != run_id(config)
        assert alike(changed.model_dump()) != alike(old)


@pytest.mark.parametrize(("registry", "settings"), [(MODELS, LATER), (DATAMODULES, LATER_DATA)], ids=["model", "data"])
def test_every_later_setting_is_the_default_of_its_class(registry: Any, settings: dict[str, dict[str, Any]]) -> None:
    for name, later in settings.items():
        parameters = inspect.signature(registry[name].__init__).parameters
        assert later == {key: parameters[key].default for key in later}


def test_the_headline_sampler_is_the_named_or_the_only_one() -> None:
    run = record("ddpm", "diffusion", rows={"ddim-50": {}, "ddim-10": {}})
    assert headline(run) == "ddim-50"
    run.config["headline"] = None
    assert headline(run) is None
    del run.config["samplers"]["ddim-50"]
    assert headline(run) == "ddim-10"
    assert headline(record("vae", "autoregressive-vae", rows={"default": {}})) == "default"
