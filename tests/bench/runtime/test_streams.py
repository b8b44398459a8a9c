"""A table is on disk whatever the screen can show, and whoever has stopped reading."""

import io
import os
import shutil
import sys
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.runtime.streams import ASCII

FILES = {"TABLE.md", "TABLE.csv", "TABLE.beside.csv", "TABLE.json", "TABLE.tex", "TABLE.png"}


@pytest.fixture
def results(example_results: Path, tmp_path: Path) -> Path:
    """A results folder with the records of some runs, and no table."""
    (tmp_path / "r" / "records").mkdir(parents=True)
    for file in (example_results / "records").glob("[dv]*-mnist-0-*.json"):
        shutil.copy(file, tmp_path / "r" / "records")
    return tmp_path / "r"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_screen_that_lacks_the_marks_gets_others_and_the_files_are_whole(
    results: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))
    assert main(["table", f"results={results}"]) == 0
    said = screen.getvalue().decode(encoding)
    assert "(v) s / 100 images" in said
    assert "?" not in said, "every character of the table has one that stands for it"
    assert "(✓) s / 100 images" in (results / "TABLE.md").read_text(encoding="utf-8")
    assert {file.name for file in results.glob("TABLE.*")} == FILES


@pytest.mark.parametrize("command", ["table", "list", "show"])
def test_a_reader_that_stops_ends_the_command_quietly_with_all_files_written(
    results: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `bench table | head`, with a reader that is gone before anything is printed."""
    run = next(results.glob("records/vae-*.json")).stem
    words = {"table": [f"results={results}"], "list": ["metrics"], "show": [run, f"results={results}"]}[command]
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main([command, *words]) == 0
        print("still", file=gone)  # is written nowhere, and harms nothing when Python flushes it at its end
    assert capsys.readouterr().err == ""
    assert {file.name for file in results.glob("TABLE.*")} == (FILES if command == "table" else set())


def test_a_training_that_nobody_listens_to_any_more_has_not_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("bench.cli.train.run", stopped)
    assert main(["train"]) == 1


def test_what_stands_for_a_character_is_ascii() -> None:
    assert all(text.isascii() for text in ASCII.values())
