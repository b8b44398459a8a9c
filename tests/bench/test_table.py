"""Marks follow their rules, intervals their formula, and what does not compare is refused."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from bench import render
from bench.evaluation import METRICS, Protocol
from bench.records import Record, Result
from bench.table import COLUMNS, FAMILIES, RULES, TableError, build, half_width, select

HERE = Path("results")
MACHINE = {"device": "cpu", "gpu": None, "cpu": "Some CPU", "cores": 2, "threads": 2}


def protocol(**changes: Any) -> Protocol:
    known = {
        "data": "mnist",
        "extractor": "mnist-cnn",
        "extractor_digest": "e",
        "reference_digest": "r",
        "samples": 2000,
        "chunk": 250,
    }
    return Protocol(**(known | changes))


def record(
    model: str, family: str, seed: int = 0, rows: dict[str, dict[str, Any]] | None = None, **changes: Any
) -> Record:
    """A record whose results are given as sampler -> figures; seconds_per_100 goes into the timing."""
    results = {}
    for sampler, figures in (rows or {}).items():
        stated = protocol(sampler=sampler, **changes)
        seconds = figures.pop("seconds_per_100", None)
        timing = {} if seconds is None else {
            "nfe": figures.pop("nfe", 1), "seconds_per_100": seconds, "images_per_second": 100 / seconds,
            "latency": 0.01, "peak_memory_mb": 900.0,
        }  # fmt: skip
        results[stated.fingerprint()] = Result(
            protocol=stated.to_dict(), metrics=figures, timing=timing, hardware=MACHINE
        )
    config = {
        "preset": "quick",
        "model": {"name": model},
        "data": {"name": "mnist"},
        "train": {"images": 1},
        "seed": seed,
    }
    return Record(run_id=f"{model}-{seed}", family=family, config=config, code={}, libraries={}, data_digest="d",
                  results=results)  # fmt: skip


def figures(fid: float, recall: float, seconds: float, **more: float) -> dict[str, Any]:
    rest = {"kid": 0.001, "precision": 0.5, "density": 0.5, "coverage": 0.5}
    return {"fid": fid, "recall": recall, "seconds_per_100": seconds, **rest, **more}


def lecture() -> list[Record]:
    """Made-up figures in which the lecture is right everywhere."""
    return [
        record("vae", "autoregressive-vae", rows={"default": figures(30, 0.85, 0.02)}),
        record("gan", "gan", rows={"default": figures(5, 0.4, 0.03)}),
        record("ddpm", "diffusion", rows={"ancestral-1000": figures(4, 0.9, 90, nfe=1000)}),
        record("held-out", "data", rows={"held-out": {"fid": 0.1, "recall": 0.91, "precision": 0.9}}, weights="none"),
    ]


def test_marks_follow_the_figures() -> None:
    table = build(lecture(), HERE)
    for rule in RULES:
        for family in FAMILIES:
            cell = table.lecture[rule.title][family]
            assert cell.mark == rule.lecture[family]
            assert cell.agrees
    assert table.rows[0].name == "held-out images"
    worse = [*lecture()[:2], record("ddpm", "diffusion", rows={"ancestral-1000": figures(40, 0.1, 0.01)}), lecture()[3]]
    cells = {rule.title: build(worse, HERE).lecture[rule.title]["diffusion"] for rule in RULES}
    assert [cell.mark for cell in cells.values()] == ["×", "✓", "×"]
    assert not any(cell.agrees for cell in cells.values())


def test_a_mark_sits_exactly_on_its_rule() -> None:
    recall, seconds, fid = RULES
    assert recall.passes(0.9, 1.0)
    assert not recall.passes(0.8999, 1.0)
    assert seconds.passes(10.0, 1.0)
    assert not seconds.passes(10.01, 1.0)
    assert fid.passes(2.0, 1.0)
    assert not fid.passes(2.01, 1.0)


def test_a_timed_only_row_speaks_for_speed_and_the_next_row_for_quality() -> None:
    rows = {
        "ancestral-1000": {"seconds_per_100": 90.0, "nfe": 1000},
        "ancestral-100": figures(4, 0.9, 9, nfe=100),
        "ddim-50": figures(6, 0.8, 4, nfe=50),
    }
    table = build([*lecture()[:2], record("ddpm", "diffusion", rows=rows)], HERE)
    sources = [table.lecture[rule.title]["diffusion"].source for rule in RULES]
    assert sources == ["ddpm, ancestral-100", "ddpm, ancestral-1000", "ddpm, ancestral-100"]
    assert [row.name for row in table.rows if row.family == "diffusion"] == [
        "ddpm, ancestral-1000", "ddpm, ancestral-100", "ddpm, ddim-50",
    ]  # fmt: skip
    assert "–" in render.markdown(table)


def test_a_family_without_a_record_has_an_empty_cell_not_a_cross() -> None:
    cell = build(lecture()[:1], HERE).lecture[RULES[0].title]["gan"]
    assert (cell.mark, cell.agrees) == ("–", None)


def test_seeds_give_a_mean_and_a_t_interval() -> None:
    runs = [
        record("gan", "gan", seed, {"default": figures(fid, 0.4, 0.03)}) for seed, fid in enumerate((4.0, 5.0, 6.0))
    ]
    (row,) = build(runs, HERE).rows
    assert row.seeds == 3
    assert row.figures["fid"] == pytest.approx(5)
    assert row.intervals["fid"] == pytest.approx(4.30265 / 3**0.5, rel=1e-5)  # t of 2 degrees of freedom, deviation 1
    assert half_width([3.0, 3.0]) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [({"samples": 1000}, "samples: "), ({"extractor_digest": "x"}, "extractor_digest"), ({"chunk": 100}, "chunk: ")],
)
def test_results_of_two_protocols_are_refused(change: dict[str, Any], said: str) -> None:
    other = record("gan", "gan", rows={"default": figures(5, 0.4, 0.03)}, **change)
    with pytest.raises(TableError, match=f"two protocols.*{said}"):
        build([lecture()[0], other], HERE)


def test_presets_and_machines_are_never_mixed() -> None:
    vae, gan, *_ = lecture()
    gan.config["preset"] = "smoke"
    with pytest.raises(TableError, match="preset=quick or preset=smoke"):
        build([vae, gan], HERE)
    assert [row.name for row in build(select([vae, gan], {"preset": "quick"}), HERE).rows] == ["vae"]
    gan.config["preset"] = "quick"
    next(iter(gan.results.values())).hardware = MACHINE | {"cpu": "Another CPU"}
    with pytest.raises(TableError, match="Another CPU"):
        build([vae, gan], HERE)


def test_every_form_holds_the_same_figures(tmp_path: Path) -> None:
    table = build(lecture(), HERE)
    files = {file.suffix: file for file in render.write(table, tmp_path)}
    parsed = json.loads(files[".json"].read_text())
    lines = list(csv.DictReader(io.StringIO(files[".csv"].read_text())))
    for row, line, stored in zip(table.rows, lines, parsed["rows"], strict=True):
        assert line["row"] == stored["name"] == row.name
        for key, value in row.figures.items():
            assert float(line[key]) == stored["figures"][key] == value
    for text in (files[".md"].read_text(), files[".tex"].read_text()):
        for row in table.rows:
            for column in COLUMNS:
                assert column.show(row.figures.get(column.key)).replace("–", "") in text
    widths = {
        len(line) for line in files[".md"].read_text().split("\n\n")[-1].strip().splitlines() if ":--" not in line
    }
    assert len(widths) == 1  # aligned
    assert files[".png"].read_bytes().startswith(b"\x89PNG")


def test_a_stamp_stands_in_every_form(tmp_path: Path) -> None:
    runs = lecture()
    for one in runs:
        one.config |= {"stamp": "smoke run: too short to mean anything", "preset": "smoke"}
    for file in render.write(build(runs, HERE), tmp_path):
        assert file.suffix == ".png" or "too short to mean anything" in file.read_text()


def test_columns_agree_with_the_metrics_on_what_is_better() -> None:
    better = {column.key: column.better for column in COLUMNS}
    for name, metric in METRICS.items():
        assert better[name] == metric.direction
    for rule in RULES:
        assert rule.better == better[rule.key]
