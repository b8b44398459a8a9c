"""The time left is what runs like these took, and the queue's own arithmetic."""

from pathlib import Path
from typing import Any

import pytest

from bench.config.load import load
from bench.config.schema import Config
from bench.results import records
from bench.sweep import cost_model
from bench.sweep.cost_model import Costs, makespan, timing_seconds

MACHINE = {"gpu": None, "cpu": "abacus", "threads": 2, "jobs": 1}


def config(*words: str) -> Config:
    (one,) = load(["model=vae", *words])
    return one


def keep(folder: Path, name: str, of: Config, **costs: Any) -> None:
    """A record of a run that took as long as `costs` say."""
    given = {"images_seen": of.train.images, "hardware": MACHINE, **costs}
    records.write(
        records.Record(run_id=name, family="f", config=of.model_dump(), code={}, libraries={}, data_digest="", **given),
        folder,
    )


@pytest.fixture(autouse=True)
def _nothing_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_model, "PUBLISHED", tmp_path / "published")


def test_runs_alike_but_for_their_seed_give_their_mean(tmp_path: Path) -> None:
    keep(tmp_path, "a", config("seed=1"), train_seconds=100.0, evaluate_seconds=20.0)
    keep(tmp_path, "b", config("seed=2"), train_seconds=120.0, evaluate_seconds=40.0)
    keep(tmp_path, "c", config("seed=2", "model.width=8"), train_seconds=1.0, evaluate_seconds=1.0)
    cost = Costs(tmp_path).estimate(config("seed=3"))
    assert cost
    assert cost.seconds == pytest.approx(140)
    assert cost.machines == ("abacus, 2 CPU threads",)


def test_timings_take_their_calls_and_the_start_of_a_process(tmp_path: Path) -> None:
    """2 calls of 50 images at 100 s for 100, one of a single image to warm up and 2 that are timed, at 3 s each."""
    timing = {"seconds_per_100": 100.0, "images": 50, "repeats": 2, "latency": 3.0}
    results = {name: records.Result(protocol={}, hardware={}, timing=t) for name, t in (("a", timing), ("b", {}))}
    keep(tmp_path, "a", config(), train_seconds=1e6, evaluate_seconds=1e6, results=results)
    cost = Costs(tmp_path, timing_seconds).estimate(config("seed=3"))
    assert cost
    assert cost.seconds == pytest.approx(cost_model.START_SECONDS + 100 + 9)


def test_of_the_same_model_the_training_goes_with_the_images_and_the_evaluation_does_not(tmp_path: Path) -> None:
    keep(tmp_path, "a", config("train.images=1000"), train_seconds=100.0, evaluate_seconds=20.0)
    cost = Costs(tmp_path).estimate(config("train.images=3000"))
    assert cost
    assert cost.seconds == pytest.approx(320)
    assert Costs(tmp_path).estimate(config("model=gan")) is None
    assert Costs(tmp_path).estimate(config("data=ring_8")) is None


def test_own_records_alike_come_before_published_ones_and_those_before_own_ones_of_another_length(
    tmp_path: Path,
) -> None:
    keep(tmp_path / "published", "p", config(), train_seconds=50.0, evaluate_seconds=1.0)
    keep(tmp_path, "longer", config("train.images=600"), train_seconds=7.0, evaluate_seconds=1.0)
    costs = Costs(tmp_path)
    cost = costs.estimate(config("seed=5"))
    assert cost
    assert cost.seconds == pytest.approx(51)
    keep(tmp_path, "own", config("seed=1"), train_seconds=30.0, evaluate_seconds=1.0)
    costs.add("own")
    assert (costs.estimate(config("seed=5")) or cost).seconds == pytest.approx(31)


def test_the_queue_ends_when_its_last_run_does() -> None:
    assert makespan([], [], 2) == 0
    assert makespan([(5, 1), (4, 1), (3, 1), (3, 1)], [], 1) == 15
    assert makespan([(5, 1), (4, 1), (3, 1), (3, 1)], [], 2) == 8, "5 + 3 beside 4 + 3"
    assert makespan([(5, 1)], [(2, 1), (7, 1)], 2) == 7, "the 5 starts after the 2"
    assert makespan([(5, 2), (1, 1)], [(3, 1)], 2) == 9, "a run on two places waits for both"
    assert makespan([(5, 4)], [], 2) == 5, "or for all there are"
