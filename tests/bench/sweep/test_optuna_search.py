"""A search: proposals are a function of what is known, survive a stop, and are better than chance."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.results import records
from bench.runtime.provenance import ROOT
from bench.sweep import optuna_search
from bench.sweep.optuna_search import Proposals, propose
from bench.sweep.search_space import Coordinates, SweepFile, assignment_at
from bench.table.columns import COST, LABELS, QUALITY
from bench.table.summary import KEYS, summary

SEARCH: dict[str, Any] = {
    "method": "bayes",
    "run_cap": 4,
    "metric": {"name": "quality/fid", "goal": "minimize"},
    "command": ["bench", "train", "${args_no_hyphens}"],
    "parameters": {
        "model.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "model.width": {"values": [4, 8]},
    },
}


def search(**keys: Any) -> SweepFile:
    return SweepFile(**SEARCH | keys)


def test_every_column_of_the_table_has_a_key_for_wandbs_summary() -> None:
    assert sorted(KEYS.values()) == sorted(column.key for column in (*QUALITY, *LABELS, *COST))


def test_a_record_is_summarised_by_the_row_that_speaks_for_it_in_the_tables_units() -> None:
    file = next(Path(ROOT, "results/published/records").glob("ddpm-*.json"))
    record = records.read(file)
    by_sampler = {row.protocol["sampler"]: row for row in record.results.values()}
    assert not by_sampler["ancestral-1000"].metrics, "it was only timed"
    found = summary(record)
    assert found["quality/fid"] == by_sampler["ancestral-100"].metrics["fid"]
    assert found["quality/kid"] == by_sampler["ancestral-100"].metrics["kid"] * 1000
    assert record.config["headline"] == "ancestral-100", "all its figures are of one row"
    assert found["speed/seconds_per_100"] == by_sampler["ancestral-100"].timing["seconds_per_100"]
    assert found["cost/train_minutes"] == record.train_seconds / 60


def test_an_unknown_metric_is_answered_with_the_known_ones(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0]}, "model=vae", method="bayes", run_cap=2, metric={"name": "quality/fiid"})
    assert main(["sweep", str(file), "results=r"]) == 2
    text = capsys.readouterr().err
    assert "metric.name=quality/fiid: unknown (did you mean quality/fid?); choose from quality/fid, quality/kid" in text
    assert not Path("r").exists()


def test_without_optuna_a_search_is_one_sentence(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    file = write({"seed": [0]}, "model=vae", method="bayes", run_cap=2, metric={"name": "quality/fid"})
    assert main(["sweep", str(file), "results=r"]) == 2
    said = "method=bayes: needs optuna; install it with pip install optuna"
    assert said in capsys.readouterr().err
    assert not Path("r").exists()


def test_the_same_knowledge_makes_the_same_proposal_and_other_knowledge_another() -> None:
    pytest.importorskip("optuna")
    drawn: list[Coordinates] = []
    for _ in range(12):
        drawn.append(propose(search(), drawn, [1.0] * len(drawn)))
    figures: list[float | None] = [abs(one["model.learning_rate"] - 0.3) for one in drawn]
    first = propose(search(), drawn, figures)
    assert propose(search(), drawn, figures) == first
    assert propose(search(), drawn, [-1 * (figure or 0) for figure in figures]) != first
    assert propose(search(metric={"name": "quality/fid", "goal": "maximize"}), drawn, figures) != first
    assert len({one["model.learning_rate"] for one in drawn}) == 12
    assert all(0 <= one["model.learning_rate"] <= 1 and one["model.width"] in (0, 1) for one in drawn)


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_search_comes_nearer_to_the_best_settings_than_chance(goal: str) -> None:
    """Of 40 draws the last 20 are nearer to the best rate, in the logarithm, and have the better width more often."""
    pytest.importorskip("optuna")
    file = search(metric={"name": "quality/fid", "goal": goal})
    drawn: list[Coordinates] = []
    figures: list[float | None] = []
    for _ in range(40):
        drawn.append(propose(file, drawn, figures))
        at = assignment_at(file, drawn[-1])
        loss = abs(math.log10(at["model.learning_rate"]) + 2) + (at["model.width"] == 4)
        figures.append(loss if goal == "minimize" else -loss)
    last = drawn[20:]
    away = [abs(math.log10(assignment_at(file, one)["model.learning_rate"]) + 2) for one in last]
    assert sum(away) / 20 < 0.4, "chance: 0.83, a third of the range from -4 to -1 and more"
    assert sum(one["model.width"] == 1 for one in last) > 13


def test_proposals_keep_away_from_where_no_run_came_to_a_figure() -> None:
    """Above half of the range all have failed, or still run; below it all are alike."""
    pytest.importorskip("optuna")
    drawn = [{"x": (k + 0.5) / 20, "seed": 0} for k in range(20)]
    figures = [1.0] * 10 + [None] * 10
    found = [
        propose(search(parameters={"x": {"min": 0.0, "max": 1.0}, "seed": {"value": k}}), drawn, figures)["x"]
        for k in range(20)
    ]
    assert sum(x < 0.5 for x in found) >= 17


def test_drawn_cells_survive_a_stop_and_a_greater_cap_adds_to_them(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    first = Proposals(search(), "s", ["model=vae"], tmp_path)
    cells = [first.next(), first.next()]
    again = Proposals(search(run_cap=3, name="renamed"), "s", ["model=vae"], tmp_path)
    assert again.path == first.path
    again.load()
    assert [one.cell.name for one in again.cells()] == [one.cell.name for one in cells if one]
    assert {one.config.wandb.group for one in again.cells()} == {"renamed"}, "what W&B calls it is no part of a cell"
    third = again.next()
    assert third
    assert again.next() is None
    assert [one.cell.name for one in again.cells()] == [one.cell.name for one in [*cells, third] if one]
    kept = json.loads(again.path.read_text())
    assert kept["drawn"] == again.draws
    command = ["bench", "train", "seed=1", "${args_no_hyphens}"]
    for other in (search(parameters={"seed": {"values": [0, 1]}}), search(command=command)):
        assert Proposals(other, "s", ["model=vae"], tmp_path).path != first.path
    assert Proposals(search(), "s", ["model=gan"], tmp_path).path != first.path


def test_a_draw_that_bench_cannot_take_is_found_before_anything_runs(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    found = {"model.latent_dim": {"min": -50, "max": 9}}
    file = write(found, "model=vae", method="bayes", run_cap=3, metric=SEARCH["metric"])
    assert main(["sweep", str(file), "results=r"]) == 2
    assert "model.latent_dim=-20: input should be greater than 0" in " ".join(capsys.readouterr().err.split())
    assert not Path("r").exists()


@pytest.mark.slow
def test_a_search_runs_to_its_cap_and_is_gone_on_with(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    told: list[list[float | None]] = []
    original = propose

    def noted(file: SweepFile, drawn: list[Coordinates], figures: list[float | None]) -> Coordinates:
        told.append(list(figures))
        return original(file, drawn, figures)

    monkeypatch.setattr(optuna_search, "propose", noted)
    rate = {"model.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}}
    keys = {"method": "bayes", "metric": SEARCH["metric"]}
    for cap, counts in ((1, "1 runs in r: 0 recorded and skipped, 1"), (2, "2 runs in r: 1 recorded and skipped, 1")):
        file = write(rate, "model=vae", "train.images=320", run_cap=cap, **keys)
        assert main(["sweep", str(file), "results=r", "--jobs=1"]) == 0
        assert f"sweep: {counts} to run" in capsys.readouterr().err
    found = {summary(one)["quality/fid"] for one in records.read_all(Path("r")) if one.images_seen}
    assert len(found) == 2
    assert [len(figures) for figures in told] == [0, 1]
    assert set(told[1]) < found
