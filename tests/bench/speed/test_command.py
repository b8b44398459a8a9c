"""`bench speed` answers the named questions, keeps earlier answers, and refuses mistakes before it measures."""

import json
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.speed import command, report
from bench.speed.answers import Answer

TARGETED = Answer("training ddpm", "a rival", "images/s", 300.0, 100.0, 3.0, 2.5, 3.5, target=2.0, note="batch 64")


MISSED = Answer("two processes", "twice one", "images/s", 300.0, 400.0, 0.75, target=0.85)


ANOTHER = Answer("training vae", "a trainer", "images/s", 240.0, 60.0, 4.0, target=3.0)


@pytest.mark.parametrize("content", ["{", '{"training": {"answers": [{"what": 1}]}}', "[]"])
def test_a_file_that_is_no_record_of_speed_is_named(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "measure_question", lambda name: pytest.fail("measured before the file was read"))
    (tmp_path / report.JSON).write_text(content)
    assert main(["speed", "sampling", f"results={tmp_path}"]) == 2
    assert f"bench: {tmp_path / report.JSON}: not what `bench speed` writes" in capsys.readouterr().err
    assert (tmp_path / report.JSON).read_text() == content


def test_asking_again_replaces_one_chapter_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"loop": [MISSED], "sampling": [TARGETED]}
    monkeypatch.setattr(command, "measure_question", lambda name: given[name])
    assert main(["speed", "loop", "sampling", f"results={tmp_path}"]) == 0
    given["loop"] = [ANOTHER]
    assert main(["speed", "loop", f"results={tmp_path}"]) == 0
    chapters = json.loads((tmp_path / report.JSON).read_text())
    assert {name: [one["what"] for one in part["answers"]] for name, part in chapters.items()} == {
        "loop": ["training vae"],
        "sampling": ["training ddpm"],
    }
    assert "two processes" not in (tmp_path / report.MARKDOWN).read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["everything"], "question=everything: unknown; choose from startup, training,"),
        (["loop", "model=vae"], "model: `bench speed` takes questions and results=DIR"),
        (["sampling"], "question=sampling: diffusers is not installed; pip install -e '.[speed]' brings it"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "measure_question", lambda name: pytest.fail("measured"))
    monkeypatch.setattr(command, "find_spec", lambda module: None)
    assert main(["speed", *words]) == 2
    assert capsys.readouterr().err.startswith(f"bench: {said}")


def test_every_question_has_its_file() -> None:
    folder = Path(report.__file__).parent
    assert all((folder / f"{name}.py").is_file() for name in command.QUESTIONS)
    assert set(command.NEEDS) <= set(command.QUESTIONS)
