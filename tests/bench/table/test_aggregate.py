"""Records are grouped and named by their settings, and figures are averaged over training seeds."""

from pathlib import Path

import pytest

from bench.evaluation.metrics.intervals import half_width
from bench.table.build import build
from tests.bench.records import figures, lecture, over_two_seeds, record

HERE = Path("results")


def test_seeds_give_a_mean_and_a_t_interval() -> None:
    runs = [
        record("gan", "gan", seed, {"default": figures(fid, 0.4, 0.03)}) for seed, fid in enumerate((4.0, 5.0, 6.0))
    ]
    (row,) = build(runs, HERE).rows
    assert row.seeds == 3
    assert row.figures["fid"].value == pytest.approx(5)
    assert row.figures["fid"].half == pytest.approx(
        4.30265 / 3**0.5, rel=1e-5
    )  # t of 2 degrees of freedom, deviation 1
    assert half_width([3.0, 3.0]) == 0


def test_models_of_two_settings_are_named_by_what_differs() -> None:
    short = record("vae", "autoregressive-vae", rows={"default": figures(60, 0.2, 0.02)})
    short.config["train"] = {"images": 90_000}
    table = build([*lecture(), short], HERE)
    assert [row.name for row in table.rows if row.family == "autoregressive-vae"] == [
        "vae train.images=1", "vae train.images=90000",
    ]  # fmt: skip
    assert [name for name, family in table.contenders.items() if family == "autoregressive-vae"] == [
        "vae train.images=1", "vae train.images=90000",
    ]  # fmt: skip


def test_two_precisions_of_training_are_two_rows() -> None:
    runs = over_two_seeds([lecture()[1]])
    runs[1].config["seed"] = runs[0].config["seed"]
    runs[0].precision, runs[1].precision = "32-true", "bf16-mixed"
    assert [(row.name, row.seeds) for row in build(runs, HERE).rows] == [
        ("gan precision=32-true", 1), ("gan precision=bf16-mixed", 1),
    ]  # fmt: skip
