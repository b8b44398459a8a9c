"""A table is on the disk before anything of it is printed, and its files are named after it."""

from pathlib import Path

import pytest

from bench.table import terminal
from bench.table.build import build
from bench.table.output import write_and_show
from tests.bench.records import lecture


def test_a_terminal_that_fails_loses_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(terminal, "show", closed)
    with pytest.raises(BrokenPipeError):
        write_and_show(build(lecture(), tmp_path), tmp_path)
    assert (tmp_path / "TABLE.md").stat().st_size > 1000


def test_the_files_are_named_below_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_and_show(build(lecture(), tmp_path), tmp_path)
    shown = capsys.readouterr()
    assert "The lecture's table, measured" in shown.out
    assert "TABLE.json" in (shown.out + shown.err).replace("\n", "")
