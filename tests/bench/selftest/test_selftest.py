"""The cases of `bench selftest`, and the closed forms that they expect."""

import itertools
import math

import pytest
import torch

from bench.evaluation.errors import EvaluationError
from bench.selftest import report
from bench.selftest.cases import CASES
from bench.selftest.inputs import GAUSSIANS, Inputs
from bench.selftest.kinds import Case, expected_coverage, frechet, occupancy

ELSEWHERE = {  # cases of seconds each, whose guarantee has a test of its own on smaller sets
    "2 processes for one",  # evaluation/test_distributed.py
    "only the digit 1",  # evaluation/metrics/test_copies.py, as the three below
    "5% copies among real digits",
    "2% shifted, darker copies among real digits",
    "2% copies among blurred digits",
    "noise 0, 0.1, 0.2, 0.4",  # blur stays
    "grid_25, mean of 20 draws",  # evaluation/metrics/test_fid.py, test_kid.py and test_prdc.py
}
every_case = pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=str(case), marks=[pytest.mark.slow] if case.about in ELSEWHERE else []) for case in CASES],
)


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return Inputs()


def test_cases_that_are_slow_are_there() -> None:
    assert {case.about for case in CASES} >= ELSEWHERE


@every_case
def test_measured_is_as_expected_and_what_is_no_number_never_is(case: Case, inputs: Inputs) -> None:
    values = case.measure(inputs)
    assert case.check(*values), f"expected {case.expected}, measured {case.show.format(*values)}"
    assert not case.check(*("" if isinstance(value, str) else math.nan for value in values))


@pytest.mark.parametrize(("n", "k"), [(3, 1), (4, 2), (5, 3)])
def test_coverage_is_that_of_all_orders_of_the_neighbours(n: int, k: int) -> None:
    """Of the 2n - 1 points beside a reference point, n are samples: every choice of their places is as likely."""
    covered, balls = [], []
    for places in itertools.combinations(range(2 * n - 1), n):
        others = [place for place in range(2 * n - 1) if place not in places]
        inside = sum(place < others[k - 1] for place in places)  # nearer than the k-th neighbour in the reference
        covered.append(inside > 0)
        balls.append(inside)
    assert expected_coverage(n, k) == pytest.approx(sum(covered) / len(covered), rel=1e-12)
    assert sum(balls) / len(balls) / k == pytest.approx(1, rel=1e-12)  # density


@pytest.mark.parametrize(("modes", "n"), [(2, 3), (3, 4), (5, 3)])
def test_occupied_modes_are_those_of_all_draws(modes: int, n: int) -> None:
    counts = torch.tensor([len(set(draw)) for draw in itertools.product(range(modes), repeat=n)]).double()
    assert occupancy(modes, n) == pytest.approx((float(counts.mean()), float(counts.std(correction=0))), rel=1e-9)


def test_the_frechet_distance_is_that_by_eigenvalues() -> None:
    (m, C), (m_r, C_r) = GAUSSIANS
    roots = torch.linalg.eigvals(C @ C_r).real.sqrt().sum()
    assert frechet() == pytest.approx(float((m - m_r).square().sum() + (C + C_r).trace() - 2 * roots), rel=1e-12)


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
