"""A mark depends on the model that it stands for and on the bar, and on nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.results.records import Record, RecordError, path, read_all, write
from bench.results.selection import TableError
from bench.table import render, sensitivity, text
from bench.table.agreement import agreement_grid
from bench.table.build import Table, build
from bench.table.rules import RULES, SPEED
from tests.bench.records import MACHINE, baseline, figures, lecture, over_two_seeds, protocol, record

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


def test_the_bar_moves_with_a_faster_headline_row_and_is_named() -> None:
    faster = record("sprinter", "gan", rows={"default": figures(50, 0.1, 0.0001)})
    table = build(records(DDPM, faster), HERE)
    assert "the fastest model's (sprinter: 0.0001)" in text.caption(table)
    assert table.lecture[SPEED]["vae"].mark == "×"
    assert "the fastest model's (vae: 0.02)" in text.caption(build(records(), HERE))


def test_a_bar_that_is_not_recorded_leaves_the_question_open_and_says_how_to_measure_it() -> None:
    table = build(lecture()[:4], HERE)
    assert [cell.mark for cell in table.lecture[RULES[2].title].values()] == ["–"] * 3
    said = "precision of held-out, 1 in 10 images spoiled, is not recorded (`bench train preset=quick data=mnist`"
    assert said in text.caption(table)


def test_two_figures_that_disagree_leave_a_mark_open() -> None:
    from bench.table.build import mark_cell
    from bench.table.rules import Baseline, Rule

    rule = Rule("Both", ("coverage", "recall"), Baseline("held-out"), {"gan": "✓"})
    real = baseline("held-out", {"coverage": 0.5, "recall": 0.5})
    for coverage, recall, mark in ((0.6, 0.7, "✓"), (0.4, 0.3, "×"), (0.4, 0.7, "≈")):
        runs = [record("gan", "gan", rows={"default": figures(1, coverage, 1, recall=recall)})]
        real_row, row = build([*runs, real], HERE).rows
        assert mark_cell(rule, row, real_row, "gan", "").mark == mark
        assert list(mark_cell(rule, row, real_row, "gan", "").figures) == ["coverage", "recall"]


def test_a_mark_from_one_seed_is_in_brackets_and_explained() -> None:
    once, twice = build(lecture(), HERE), build(over_two_seeds(lecture()), HERE)
    for rule in RULES:
        for model in once.contenders:
            cells = [table.lecture[rule.title][model] for table in (once, twice)]
            assert cells[0].label == f"({cells[1].label})"
            assert (cells[0].agrees, cells[1].agrees) == (None, True)
    assert "are based on one training seed" in text.caption(once)
    assert "are based on one training seed" not in text.caption(twice)
    assert "(✓) precision 0.950" in render.markdown(once)


def test_seeds_are_counted_and_not_files(tmp_path: Path) -> None:
    gan = lecture()[1]
    write(gan, tmp_path)
    copy = path(tmp_path, gan.run_id).with_name("gan-0 (1).json")
    copy.write_text(path(tmp_path, gan.run_id).read_text())
    with pytest.raises(RecordError, match=r"gan-0 \(1\).json: a copy: it holds the run gan-0"):
        read_all(tmp_path)
    copy.rename(copy.with_name("._gan-0.json"))
    copy.with_name("._gan-0.json").write_bytes(b"\x00\x05\x16\x07")
    assert [one.run_id for one in read_all(tmp_path)] == ["gan-0"]
    other = gan.model_copy(update={"run_id": "gan-other"})
    with pytest.raises(TableError, match="gan-0.json and .*gan-other.json: the same run twice"):
        build([gan, other], HERE)


def test_two_precisions_of_training_are_two_rows() -> None:
    runs = over_two_seeds([lecture()[1]])
    runs[1].config["seed"] = runs[0].config["seed"]
    runs[0].precision, runs[1].precision = "32-true", "bf16-mixed"
    assert [(row.name, row.seeds) for row in build(runs, HERE).rows] == [
        ("gan precision=32-true", 1), ("gan precision=bf16-mixed", 1),
    ]  # fmt: skip


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


def test_timings_of_a_row_on_two_machines_are_left_out_by_name() -> None:
    runs = over_two_seeds(lecture())
    again = next(one for one in runs if one.run_id == "vae-0-again")
    table = build([timed_on(one, "Another CPU") if one is again else one for one in runs], HERE)
    (row,) = (row for row in table.rows if row.model == "vae")
    assert "fid" in row.figures
    assert not {"seconds_per_100", "images_per_second", "latency_ms", "peak_memory_mb"} & row.figures.keys()
    assert "nfe" in row.figures
    assert table.lecture[SPEED]["vae"].mark == "–"
    said = "vae has no mean of timings: the seeds were timed on Another CPU, 2 CPU threads and on Some CPU"
    assert said in text.caption(table)


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


def test_seeds_that_name_two_headline_samplers_and_runs_that_name_none_are_refused() -> None:
    one, other = (with_samplers(DDPM | SLOWER) for _ in range(2))
    other.run_id, other.config["seed"], other.config["headline"] = "ddpm-1", 1, "ancestral-1000"
    with pytest.raises(TableError, match="headline samplers ancestral-100 and ancestral-1000"):
        build([one, other], HERE)
    other.config["headline"] = None
    with pytest.raises(
        TableError, match='ddpm-1.json: names no headline sampler; add "headline" to its config, one of'
    ):
        build([other], HERE)


def test_real_images_may_be_fewer_than_the_samples() -> None:
    few = record("held-out", "data", rows={"held-out": {"fid": 0.3}}, weights="none", samples=500)
    table = build([*lecture()[:3], few], HERE)
    assert table.rows[0].name == "held-out images (n = 500)"
    assert build([*lecture()[:4], few], HERE).rows[0].name == "held-out images", "as many are nearer"
    other = record("held-out", "data", rows={"held-out": {"fid": 0.3}}, weights="none", samples=500, extractor="x")
    assert build([*lecture()[:3], other], HERE).rows[0].family != "data"


def test_results_of_two_precisions_in_one_record_are_two_names_and_one_headline() -> None:
    run = with_samplers(DDPM)
    (result,) = run.results.values()
    other = protocol(sampler="ancestral-100", precision="bfloat16")
    run.results[other.fingerprint()] = result.model_copy(update={"protocol": other.to_dict()})
    run.precision = "bf16-mixed"
    rows = build([run], HERE).rows
    assert {(row.name, row.headline) for row in rows} == {
        ("ddpm, ancestral-100, float32", False), ("ddpm, ancestral-100, bfloat16", True),
    }  # fmt: skip


def test_sensitivity_has_the_rules_own_mark_in_bold_and_moves_one_way() -> None:
    table = build(over_two_seeds(lecture()), HERE)
    found = dict(sensitivity.sensitivity(table))
    assert list(found) == [rule.title for rule in RULES]
    worth = {"×": 0, "≈": 1, "✓": 2}
    for rule in RULES:
        head, *lines = found[rule.title]
        (own,) = (k for k, text in enumerate(head) if text.startswith("**"))
        assert [line[own] for line in lines] == [table.lecture[rule.title][line[0]].label for line in lines]
        for _, *shown in lines:
            order = [worth[mark] for mark in shown]
            assert order == sorted(order, reverse=rule.columns[0].better == "higher")
    assert "**Marks at other bars.**" in render.markdown(table)
