"""Answers come back from their file as they were, and targets are marked in every form."""

from pathlib import Path

import pytest
from rich.console import Console

from bench.speed import report
from bench.speed.answers import Answer

TARGETED = Answer("training ddpm", "a rival", "images/s", 300.0, 100.0, 3.0, 2.5, 3.5, target=2.0, note="batch 64")


MISSED = Answer("two processes", "twice one", "images/s", 300.0, 400.0, 0.75, target=0.85)


ANOTHER = Answer("training vae", "a trainer", "images/s", 240.0, 60.0, 4.0, target=3.0)


def test_answers_come_back_from_the_file_as_they_went(tmp_path: Path) -> None:
    chapters = {"training": report.chapter([TARGETED, MISSED]), "loop": report.chapter([ANOTHER])}
    report.write(chapters, tmp_path)
    again = report.read(tmp_path)
    assert again == chapters
    assert report.answers(again["training"]) == [TARGETED, MISSED]
    assert (tmp_path / report.MARKDOWN).read_text() == report.markdown(again)


def test_a_target_is_marked_as_met_or_missed() -> None:
    lines = report.markdown({"training": report.chapter([TARGETED, MISSED])}).splitlines()
    assert "| 3 | 2.5–3.5 | ✓ 2 | batch 64 |" in lines[2]
    assert "| 0.75 |  | × 0.85 |" in lines[3]


def test_a_terminal_shows_every_answer_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    report.show({"training": report.chapter([TARGETED, MISSED])}, Console(width=200))
    said = capsys.readouterr().out
    for word in ("training ddpm", "✓ 2", "× 0.85", "batch 64"):
        assert word in said
