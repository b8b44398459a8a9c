"""Records and tables from Python are those of the commands."""

import csv
import io
import math
import shutil
import sys
from pathlib import Path

import pytest

import generative_trilemma as gt
from bench.results import records as stored
from bench.table import render
from tests.bench.records import skilled

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for record in skilled():
        stored.write(record, tmp_path)
    return tmp_path


def test_records_are_all_of_a_folder_with_a_line_each(folder: Path) -> None:
    found = gt.records(folder)
    assert found == sorted(skilled(), key=lambda record: record.run_id)
    assert len(repr(found)) < 120 * len(found)


def test_the_table_is_that_of_the_files() -> None:
    table = gt.table(PUBLISHED, data="mnist")
    assert str(table) == (PUBLISHED / "TABLE.md").read_text()
    assert table._repr_html_().count("<table>") > 3
    assert repr(table).startswith("<ResultsTable of mnist, preset ")
    assert len(repr(table).splitlines()) == 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_has_the_figures_of_the_csv(library: str, folder: Path) -> None:
    pytest.importorskip(library)
    table = gt.table(folder)
    lines = list(csv.DictReader(io.StringIO(render.csv_text(table.comparison))))
    frame = getattr(table, f"to_{library}")()
    assert list(frame.columns) == list(lines[0])
    assert frame.shape == (len(lines), len(lines[0]))
    assert list(frame["row"]) == [line["row"] for line in lines]
    assert list(frame["headline"]) == [line["headline"] == "yes" for line in lines]
    for key in ("fid", "fid_low", "coverage", "seconds_per_100", "nfe"):
        values = [math.nan if value is None else value for value in frame[key]]
        assert values == pytest.approx([float(line[key] or "nan") for line in lines], nan_ok=True, rel=0, abs=0)


def test_a_missing_library_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(gt.InputError, match="to_polars needs polars, which is not installed: pip install polars"):
        gt.table(folder).to_polars()


def test_a_mistake_is_an_input_error(folder: Path) -> None:
    with pytest.raises(gt.InputError, match="no such folder"):
        gt.records(folder / "no")
    with pytest.raises(gt.InputError, match="no evaluated runs"):
        gt.table(folder / "no")
    with pytest.raises(gt.InputError, match="preset=smok"):
        gt.table(preset="smok")
    with pytest.raises(gt.InputError, match="train: `bench table` takes"):
        gt.table(folder, train__images=3)
    shutil.copy(next((folder / "records").glob("*.json")), folder / "records" / "copy.json")
    with pytest.raises(gt.InputError, match="a copy"):
        gt.records(folder)
