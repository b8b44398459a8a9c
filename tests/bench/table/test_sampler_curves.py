"""Rows that differ in their number of steps only stand on one curve, and those no configuration names only there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.table import sampler_curves as curves_module
from bench.table.build import Table, build
from bench.table.render import csv_text, markdown, write
from bench.table.sampler_curves import GUIDANCE, by_sweep, sampler_curves
from bench.table.text import curves_grid
from tests.bench.records import figures, record

STEPS = (5, 10, 20, 50)


def table_of(settings: dict[str, dict[str, Any]]) -> Table:
    """The table of a model whose configuration names ddim-50, with a row for each sampler."""
    rows = {
        name: figures(100 / values["steps"], 0.5, 0.01 * values["steps"], nfe=values["steps"])
        for name, values in settings.items()
    }
    model = record("ddpm", "diffusion", rows=rows)
    for result in model.results.values():
        result.protocol["sampler_settings"] = settings[result.protocol["sampler"]]
    model.config |= {"samplers": {"ddim-50": settings["ddim-50"]}, "headline": "ddim-50"}
    return build([model], Path("results"))


def ddim(*steps: int) -> dict[str, dict[str, Any]]:
    return {f"ddim-{count}": {"method": "ddim", "steps": count} for count in steps}


def test_a_curve_has_its_rows_by_rising_evaluations_and_the_table_those_of_the_configuration() -> None:
    table = table_of(ddim(50, 5, 20, 10))
    (curve,) = table.curves
    assert (curve.model, curve.sampler) == ("ddpm", "ddim")
    assert [row.figures["nfe"].value for row in curve.rows] == list(STEPS)
    assert [row.name for row in table.rows] == ["ddpm, ddim-50"]
    assert [line[1] for line in curves_grid(curves_module.STEPS, table.curves)[1:]] == [str(count) for count in STEPS]
    assert f"**{curves_module.STEPS.title}.**" in markdown(table)
    assert all(f"ddim-{count}" in csv_text(table) for count in STEPS), "no figure is lost"


def test_other_settings_make_another_curve_and_few_points_make_none() -> None:
    eta = {f"mine-{count}": {"method": "ddim", "eta": 1.0, "steps": count} for count in STEPS}
    curves = table_of({**ddim(*STEPS), **eta}).curves
    assert sorted(curve.sampler for curve in curves) == ["ddim", "mine"]
    few = table_of(ddim(*STEPS[1:]))
    assert len(STEPS[1:]) < curves_module.STEPS.least
    assert few.curves == []
    assert len(few.rows) == len(STEPS[1:])
    assert curves_module.STEPS.title not in markdown(few)


def test_rows_that_were_only_timed_make_no_curve() -> None:
    table = table_of(ddim(*STEPS))
    rows = [replace(row, figures={"nfe": row.figures["nfe"]}) for row in table.curves[0].rows]
    assert sampler_curves(rows) == []


def guided(*weights: float) -> dict[str, dict[str, Any]]:
    """Samplers by their w, of which 0 is not named."""
    settings: dict[str, Any] = {"method": "ddim", "steps": 50}
    return {f"ddim-50-w{w:g}" if w else "ddim-50": settings | ({"label_guidance": w} if w else {}) for w in weights}


def test_rows_that_differ_in_their_guidance_only_stand_on_one_curve_and_the_one_without_at_0() -> None:
    settings = guided(2.0, 0.0, 0.5)
    rows = {name: figures(1.0, 0.5, 0.5, nfe=50, class_accuracy=0.9) for name in settings}
    model = record("ddpm", "diffusion", rows=rows)
    for result in model.results.values():
        result.protocol["sampler_settings"] = settings[result.protocol["sampler"]]
    model.config |= {"samplers": {"ddim-50": settings["ddim-50"]}, "headline": "ddim-50"}
    table = build([model], Path("results"))
    ((sweep, (curve,)),) = by_sweep(table.curves)
    assert sweep is GUIDANCE
    assert (curve.sampler, curve.places) == ("ddim-50", (0.0, 0.5, 2.0))
    assert [line[1] for line in curves_grid(sweep, [curve])[1:]] == ["0", "0.5", "2"]
    assert [row.name for row in table.rows] == ["ddpm, ddim-50"]
    assert f"**{GUIDANCE.title}.**" in markdown(table)


def test_every_file_of_a_table_with_curves_is_written_and_its_json_names_their_setting(tmp_path: Path) -> None:
    table = table_of(ddim(*STEPS))
    names = {path.name for path in write(table, tmp_path)}
    assert names >= {"TABLE.md", "TABLE.json", "TABLE.tex", "TABLE.csv", curves_module.STEPS.file}
    (curve,) = json.loads((tmp_path / "TABLE.json").read_text())["curves"]
    assert curve["sweep"] == "steps"
    assert curve["places"] == list(STEPS)
