"""`bench selftest` runs the cases, or one study, whose files go to a folder."""

from collections.abc import Callable

import pytest

from bench.cli.main import main


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "results=r: `bench selftest` writes nothing but a study; add --study NAME" in refusal("selftest results=r")


def test_without_a_study_the_cases_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    monkeypatch.setattr("bench.selftest.report.run", lambda: runs.append("cases"))
    monkeypatch.setattr("bench.selftest.study.run_study", lambda name, results: runs.append(f"{name} in {results}"))
    assert main(["selftest"]) == 0
    assert main(["selftest", "--study", "marks", "results=r"]) == 0
    assert runs == ["cases", "marks in r"]
