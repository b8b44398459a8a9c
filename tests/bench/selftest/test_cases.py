"""The cases of `bench selftest`, and the closed forms that they expect."""

import math

import pytest

from bench.selftest.cases import CASES
from bench.selftest.inputs import Inputs
from bench.selftest.kinds import Case

ELSEWHERE = {  # cases of seconds each, whose guarantee has a test of its own on smaller sets
    "2 processes for one",  # evaluation/test_distributed.py
    "only the digit 1",  # evaluation/metrics/test_copies.py, as the three below
    "5% copies among real digits",
    "2% shifted, darker copies among real digits",
    "2% copies among blurred digits",
    "noise 0, 0.1, 0.2, 0.4",  # evaluation/metrics/test_registry.py, as blur
    "blur 0, 0.5, 1, 2",
    "blur 0, 1, 2",
    "2 of 10 digits dropped",  # evaluation/metrics/test_prdc.py and test_modes.py
    "5 of 10 digits dropped",
    "stacked_mnist, held out",  # evaluation/metrics/test_modes.py and runs/test_context.py
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
