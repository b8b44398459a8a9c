"""Readings of a measure that sees everything, nothing, or quality in place of coverage."""

import numpy as np
import pytest

from bench.selftest.planting import FULL, INTACT, Ladder, Plan, State
from bench.selftest.readings import Scale, coverage_errors, coverage_marks, quality_errors, quality_marks

PLAN = Plan(2000, (0.1, 0.5, 0.9), (0.1,), (20,), (0.5, 1.0), (0.1, 0.2), (0.1, 0.3), ("blends",))
STATES = [(coverage, quality) for coverage in PLAN.coverages for quality in PLAN.qualities]


def position(state: str, ladders: tuple[Ladder, ...]) -> float:
    """Where a state stands on the first ladder that has it."""
    ladder = next(ladder for ladder in ladders if state in ladder.rungs)
    return float(ladder.positions[ladder.rungs.index(state)])


def figures(how: str) -> dict[State, dict[str, float]]:
    """Of a measure that is the planted coverage, the planted quality, or always the same."""
    kinds = {
        "coverage": lambda c, q: position(c, PLAN.coverage),
        "quality": lambda c, q: 1 - position(q, PLAN.quality),
        "blind": lambda c, q: 0.3,
    }
    return {state: {"m": kinds[how](*state)} for state in STATES}


def test_a_scale_is_the_inverse_of_its_rungs_and_linear_between_them() -> None:
    scale = Scale(np.array([0.2, 0.4, 0.8]), np.linspace(0, 1, 3))
    assert [scale.read(v) for v in (0.2, 0.3, 0.4, 0.6, 0.8)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert [scale.read(v) for v in (-5, 5)] == [0, 1]


def test_a_scale_that_does_not_rise_reads_its_middle() -> None:
    falling = Scale(np.array([0.8, 0.4, 0.2]), np.linspace(0, 1, 3))
    assert {falling.read(v) for v in (0.0, 0.3, 1.0)} == {0.5}


def test_what_is_planted_is_read_without_error_and_marked_right() -> None:
    seen = figures("coverage")
    assert set(coverage_errors(PLAN, [seen], seen, "m", 1).values()) == {0.0}
    assert all(mark == truth for mark, truth in coverage_marks(PLAN, [seen], seen, "m", 1))
    seen = figures("quality")
    assert max(quality_errors(PLAN, [seen], seen, "m", 1).values()) == pytest.approx(0)
    assert all(mark == truth for mark, truth in quality_marks(PLAN, [seen], seen, "m", 1))


def test_what_is_not_seen_is_read_as_the_middle() -> None:
    blind = figures("blind")
    errors = coverage_errors(PLAN, [blind], blind, "m", 1)
    for ladder in PLAN.coverage:
        expected = np.abs(ladder.positions - 0.5).mean()
        assert errors[ladder.name, "blends"] == pytest.approx(expected)


def test_the_sign_turns_a_measure_that_falls() -> None:
    seen = figures("coverage")
    falling = {state: {"m": -values["m"]} for state, values in seen.items()}
    assert coverage_errors(PLAN, [falling], falling, "m", -1) == coverage_errors(PLAN, [seen], seen, "m", 1)


def test_every_case_but_the_bars_own_has_a_mark() -> None:
    seen = figures("coverage")
    marks = coverage_marks(PLAN, [seen], seen, "m", 1)
    assert len(marks) == (len(PLAN.coverages) - 1) * len(PLAN.qualities)
    assert sum(truth for _, truth in marks) == 2 * len(PLAN.qualities), "all modes, and as many images as samples"
    assert (FULL, INTACT) in STATES
