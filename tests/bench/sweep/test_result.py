"""A sweep ends with its table, its failures and its exit status; runs that were timed otherwise are announced."""

from pathlib import Path

import pytest

from bench.config.load import load
from bench.results.records import Record, write
from bench.sweep import result
from bench.sweep.cells import PlannedCell
from bench.sweep.executor import Cell, Outcome
from bench.sweep.result import show_result, show_table, timing_difference
from tests.bench.records import MACHINE, lecture


def planned(record: Record, results: Path, preset: str = "quick") -> PlannedCell:
    (config,) = load([f"results={results}", f"preset={preset}", "model=vae"])
    return PlannedCell(Cell(record.run_id, (), record.run_id, 1), config)


def timed(record: Record, threads: int, jobs: int) -> Record:
    for one in record.results.values():
        one.hardware = MACHINE | {"threads": threads, "jobs": jobs}
    return record


@pytest.fixture
def cells(tmp_path: Path) -> list[PlannedCell]:
    """Two recorded runs, each timed alone on two threads."""
    runs = [timed(run, 2, 1) for run in lecture()[:2]]
    for run in runs:
        write(run, tmp_path)
    return [planned(run, tmp_path) for run in runs]


def test_runs_timed_on_another_share_of_the_machine_are_announced_with_the_way_out(
    cells: list[PlannedCell], tmp_path: Path
) -> None:
    assert timing_difference(cells, 2, 1) == ""
    assert timing_difference([planned(lecture()[2], tmp_path)], 1, 2) == "", "nothing is recorded of it"
    said = timing_difference(cells, 1, 4)
    assert "timed with 2 CPU threads, 1 at once; new runs will be timed with 1 CPU threads, 4 at once" in said
    assert said.endswith("--jobs=1")
    write(timed(lecture()[0], 1, 2), tmp_path)
    assert "1 CPU threads, 2 at once and 2 CPU threads, 1 at once" in timing_difference(cells, 1, 4)
    assert "--jobs" not in timing_difference(cells, 1, 4), "no number times both alike"


def test_a_failure_is_counted_and_is_the_exit_status(
    cells: list[PlannedCell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(result, "show_table", lambda *_: None)
    assert show_result(cells, [], tmp_path) == 0
    log = tmp_path / "gan.log"
    log.write_text("the loss is nan\n")
    assert show_result(cells, [Outcome(cells[1].cell, 2, 1.0, log)], tmp_path) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "the loss is nan" in said
    assert "1 of 2 failed; the same command tries them again" in said


def test_the_table_is_written_beside_the_records(cells: list[PlannedCell], tmp_path: Path) -> None:
    show_table(cells, tmp_path)
    assert "| gan" in (tmp_path / "TABLE.md").read_text()


def test_records_that_share_no_table_are_said_and_end_nothing(
    cells: list[PlannedCell], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "records" / "broken.json").write_text("{")
    show_table(cells, tmp_path)
    assert "no table: " in capsys.readouterr().err
    assert not (tmp_path / "TABLE.md").exists()
