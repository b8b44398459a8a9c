"""At the bar five marks of a hundred are wrong, as Welch's test promises; away from it more is decided."""

import pytest

from bench.selftest.studies.marks import CASES, Case, decision_rates, one_seed


@pytest.mark.parametrize("case", [case for case in CASES if case.distance == 1], ids=str)
def test_at_the_bar_five_marks_of_a_hundred_are_wrong(case: Case) -> None:
    """And not 1.3, as by the rule that took half widths of intervals for deviations."""
    welch, before = decision_rates(case, 2000)
    assert 0.03 < welch < 0.08  # Welch's is a little liberal for 3 against 20
    assert before < 0.6 * welch


@pytest.mark.parametrize("case", [case for case in CASES if case.distance > 1], ids=str)
def test_away_from_the_bar_more_is_decided_than_before(case: Case) -> None:
    welch, before = decision_rates(case, 1000)
    assert welch > before


def test_from_one_seed_marks_are_wrong_as_often_as_trainings_chance_makes_them() -> None:
    assert one_seed(0.0, 2000) == pytest.approx(0.05, abs=0.015)
    assert one_seed(1.5, 2000) > 0.2
