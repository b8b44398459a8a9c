"""A mark depends on the model that it stands for and on the bar, and on nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.results.records import Record
from bench.table import render, text
from bench.table.agreement import agreement_grid
from bench.table.build import Table, build
from bench.table.rules import RULES, SPEED
from tests.bench.records import MACHINE, figures, lecture, over_two_seeds, record

HERE = Path("results")


def with_samplers(rows: dict[str, dict[str, Any]]) -> Record:
    return record("ddpm", "diffusion", rows={name: dict(measured) for name, measured in rows.items()})


DDPM = {"ancestral-100": figures(4, 0.9, 9, nfe=100)}
SLOWER = {"ancestral-1000": figures(6, 0.7, 90, nfe=1000), "ancestral-2000": {"seconds_per_100": 180.0, "nfe": 2000}}
BETTER = {"ddim-200": figures(0.5, 0.99, 0.001, nfe=200)}


def records(rows: dict[str, dict[str, Any]] = DDPM, *more: Record) -> list[Record]:
    return [*lecture()[:2], with_samplers(rows), *more, *lecture()[3:]]


def marks(table: Table, models: Sequence[str]) -> list[list[str]]:
    return [[cells[model].label for cells in table.lecture.values()] for model in models]


EXPECTED = marks(build(records(), HERE), ["vae", "gan", "ddpm"])


@pytest.mark.parametrize(
    "changed",
    [
        records(DDPM | SLOWER),
        records(DDPM | BETTER),
        records(DDPM | BETTER | SLOWER),
        list(reversed(records(DDPM | SLOWER))),
        records(DDPM, record("pixel_ar", "autoregressive-vae", rows={"default": figures(1, 0.99, 5)})),
        records(DDPM, record("theirs", "flows", rows={"default": figures(1, 0.99, 5)})),
        records({"renamed": DDPM["ancestral-100"]}),
        records(DDPM, record("ae", "autoencoder", rows={"default": figures(0.1, 1.0, 1e-6)})),
    ],
    ids=["slower rows", "a better row", "both", "reversed", "another model", "another family", "renamed", "reference"],
)
def test_rows_of_one_model_change_no_mark_of_another(changed: list[Record]) -> None:
    assert marks(build(changed, HERE), ["vae", "gan", "ddpm"]) == EXPECTED


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_model_that_is_gone_changes_a_mark_only_by_the_bar_which_is_named(gone: int) -> None:
    left = [one for k, one in enumerate(records()) if k != gone]
    names = [name for k, name in enumerate(("vae", "gan", "ddpm")) if k != gone]
    table = build(left, HERE)
    changed = [a != b for a, b in zip(marks(table, names), (EXPECTED[k] for k in range(3) if k != gone), strict=True)]
    assert not any(changed) or table.bars[SPEED] != build(records(), HERE).bars[SPEED]


def test_a_family_without_a_lecture_word_is_judged_and_comes_last() -> None:
    runs = over_two_seeds([*lecture(), record("glow", "flows", rows={"default": figures(3, 0.9, 0.02)})])
    table = build(runs, HERE)
    assert list(table.contenders.items())[-1] == ("glow", "flows")
    cells = [table.lecture[rule.title]["glow"] for rule in RULES]
    assert [(cell.mark, cell.lecture, cell.agrees) for cell in cells] == [("✓", "", None)] * 3
    text = render.markdown(table)
    assert "| flows<br>glow" in text
    assert "the lecture: |" not in text
    assert "flows" not in {line[1] for line in agreement_grid(table)}


def timed_on(run: Record, cpu: str) -> Record:
    for result in run.results.values():
        result.hardware = MACHINE | {"cpu": cpu}
    return run


def test_two_machines_have_one_table_in_which_speed_is_judged_on_the_usual_one() -> None:
    vae, gan, ddpm, *real = lecture()
    table = build([timed_on(vae, "Another CPU"), gan, ddpm, *real], HERE)
    assert table.machine == "Some CPU, 2 CPU threads"
    assert [cells["vae"].mark for cells in table.lecture.values()] == ["✓", "–", "×"]
    assert table.bars[SPEED] == "gan", "the VAE is faster, elsewhere"
    assert "without a mark for speed: vae (Another CPU, 2 CPU threads)." in text.caption(table)
    assert dict(text.figures_grids(table.rows))["Cost"][1][2] == "0.02"


def test_figures_of_an_earlier_version_of_their_metric_are_left_out_by_name() -> None:
    runs = over_two_seeds(lecture())
    vae = runs[0]
    for run in runs:
        for result in run.results.values():
            result.versions = dict.fromkeys(result.metrics, 2)
    next(iter(vae.results.values())).versions = {}  # of before there were versions: 1
    for run in runs:
        if run.config["model"]["name"] == "ddpm":
            next(iter(run.results.values())).versions["kid"] = 1
    table = build(runs, HERE)
    rows = {row.model: row for row in table.rows}
    assert "fid" not in rows["vae"].figures
    assert table.lecture[RULES[2].title]["vae"].mark == "–"
    assert "kid" not in rows["ddpm"].figures
    assert {"fid", "kid"} <= rows["gan"].figures.keys()
    said = text.caption(table)
    assert "of 1 of 2 seeds only; `bench train` again completes vae-0." in said
    assert "ddpm, ancestral-1000 has no mean of kid: an earlier version than in other rows" in said
