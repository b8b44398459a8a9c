"""The self-test counts and names its failures."""

import pytest

from bench.evaluation.errors import EvaluationError
from bench.selftest import report
from bench.selftest.kinds import Case


def test_failures_are_counted_and_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def case(figure: str, expected: float) -> Case:
        return Case("stub", figure, f"{expected:g}", lambda inputs: (1.0,), lambda found: found == expected)

    monkeypatch.setattr(report, "Inputs", lambda progress: None)
    monkeypatch.setattr(report, "CASES", [case("right", 1), case("wrong", 2)])
    with pytest.raises(EvaluationError, match="1 of 2 cases of the self-test failed: stub: wrong"):
        report.run()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if line.split()[:1] in (["right"], ["wrong"])] == ["yes", "NO"]
    assert lines[-1].startswith("1 of 2 as expected, in ")
