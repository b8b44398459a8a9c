"""Every form of the table holds the same figures and the same stamp."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from bench.table import render
from bench.table.build import build
from bench.table.columns import COLUMNS
from tests.bench.records import skilled

HERE = Path("results")


def test_every_form_holds_the_same_figures(tmp_path: Path) -> None:
    table = build(skilled(), HERE)
    files = {file.name.removeprefix("TABLE"): file for file in render.write(table, tmp_path)}
    parsed = json.loads(files[".json"].read_text())
    lines = list(csv.DictReader(io.StringIO(files[".csv"].read_text())))
    for row, line, stored in zip(table.rows, lines, parsed["rows"], strict=True):
        assert line["row"] == stored["name"] == row.name
        for key, figure in row.figures.items():
            assert float(line[key]) == stored["figures"][key]["value"] == figure.value
            ends = [line[f"{key}_{end}"] for end in ("low", "high")]
            assert ends == ["", ""] if figure.interval is None else tuple(map(float, ends)) == figure.interval
    beside = list(csv.DictReader(io.StringIO(files[".beside.csv"].read_text())))
    told = {(line["line"], line["figure"]): float(line["value"]) for line in beside}
    assert told == {(line.name, key): value.value for line in table.lines for key, value in line.figures.items()}
    assert [line["figures"] for line in parsed["lines"]] == [
        {key: asdict(figure) for key, figure in line.figures.items()} for line in table.lines
    ]
    for content in (files[".md"].read_text(), files[".tex"].read_text()):
        for row in table.rows:
            for column in COLUMNS:
                assert column.show(row.figures.get(column.key)).replace("–", "") in content
    widths = {
        len(line) for line in files[".md"].read_text().split("\n\n")[-1].strip().splitlines() if ":--" not in line
    }
    assert len(widths) == 1  # aligned
    assert files[".png"].read_bytes().startswith(b"\x89PNG")


def test_a_stamp_stands_in_every_form(tmp_path: Path) -> None:
    runs = skilled()
    for one in runs:
        one.config |= {"stamp": "smoke run: too short to mean anything", "preset": "smoke"}
    for file in render.write(build(runs, HERE), tmp_path):
        assert file.suffix == ".png" or "too short to mean anything" in file.read_text()


def test_files_as_they_were_written_are_up_to_date_and_every_other_is_named(tmp_path: Path) -> None:
    table = build(skilled(), HERE)
    files = render.write(table, tmp_path)
    assert render.file_problems(table, tmp_path) == []
    changed, gone, *_ = files
    changed.write_text(changed.read_text().replace("vae", "VAE", 1))
    gone.unlink()
    assert [problem.partition(",")[0].partition(": ")[0] for problem in render.file_problems(table, tmp_path)] == [
        str(changed), str(gone),
    ]  # fmt: skip


def test_the_first_difference_is_described_by_its_line_and_both_texts() -> None:
    assert render.first_difference("a\nbcd\n", "a\nbxd\n") == "line 2: has `bcd` where the records give `bxd`"
    assert render.first_difference("a", "a\nb") == "line 2: has `nothing` where the records give `b`"


def test_lines_of_figures_are_those_of_the_csv_with_none_where_nothing_was_measured() -> None:
    table = build(skilled(), HERE)
    lines = render.figure_lines(table)
    written = list(csv.DictReader(io.StringIO(render.csv_text(table))))
    for line, texts in zip(lines, written, strict=True):
        assert line.pop("headline") == (texts.pop("headline") == "yes")
        assert {key: "" if value is None else str(value) for key, value in line.items()} == texts
    assert any(value is None for line in lines for value in line.values())
