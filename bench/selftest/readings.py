"""Score measures for the report card: the error of reading a planted truth off a measure, and its wrong marks.

A measure is calibrated with cases that differ in one property only, and then read where the other property differs too.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.selftest.planting import FULL, INTACT, Ladder, Plan, State

Figures = Mapping[State, Mapping[str, float]]  # state -> candidate -> figure
Marks = list[tuple[bool, bool]]  # (mark, truth) of every case


@dataclass(frozen=True)
class Scale:
    """Figures of a ladder's rungs, from which positions on it, 0 .. 1, are read."""

    values: np.ndarray  # of the rungs, each a mean over draws; more is better
    positions: np.ndarray

    def read(self, value: float) -> float:
        """Return the position of a figure by isotonic regression on the rungs, linear between them.

        Rungs whose figures do not rise share their mean position. So a measure that does not depend on the ladder reads
        its middle, whatever the truth.
        """
        from sklearn.isotonic import isotonic_regression

        rising = isotonic_regression(self.values)
        levels = np.unique(rising)
        return float(np.interp(value, levels, [self.positions[rising == level].mean() for level in levels]))


def coverage_scale(ladder: Ladder, draws: Sequence[Figures], name: str, sign: int) -> Scale:
    """Calibrate with intact images, by their coverage."""
    rows = [[sign * draw[rung, INTACT][name] for rung in ladder.rungs] for draw in draws]
    return Scale(np.mean(rows, 0), ladder.positions)


def quality_scale(ladder: Ladder, draws: Sequence[Figures], name: str, sign: int) -> Scale:
    """Calibrate with images of all modes, by their quality, worst first."""
    rows = [[sign * draw[FULL, rung][name] for rung in reversed(ladder.rungs)] for draw in draws]
    return Scale(np.mean(rows, 0), ladder.positions)


def coverage_errors(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> dict[State, float]:
    """Return the mean reading error where quality is worse than intact, by (ladder of coverage, ladder of quality)."""
    errors = {}
    for ladder in plan.coverage:
        scale = coverage_scale(ladder, draws, name, sign)
        for kind in plan.quality:
            errors[ladder.name, kind.name] = np.mean(
                [
                    abs(scale.read(sign * test[rung, quality][name]) - position)
                    for quality in kind.rungs[1:]
                    for rung, position in zip(ladder.rungs, ladder.positions, strict=True)
                ]
            )
    return {cell: float(error) for cell, error in errors.items()}


def quality_errors(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> dict[State, float]:
    """Return the mean reading error where coverage is less than full, by (ladder of coverage, ladder of quality)."""
    errors = {}
    for kind in plan.quality:
        scale = quality_scale(kind, draws, name, sign)
        for ladder in plan.coverage:
            errors[ladder.name, kind.name] = np.mean(
                [
                    abs(scale.read(sign * test[coverage, rung][name]) - position)
                    for coverage in ladder.rungs[:-1]
                    for rung, position in zip(reversed(kind.rungs), kind.positions, strict=True)
                ]
            )
    return {cell: float(error) for cell, error in errors.items()}


def coverage_marks(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> Marks:
    """Return (mark, truth) of every case; the bar is intact images of nine in ten modes, the last rung but one.

    A mark is true where the figure is at least the bar. The truth is true for the top rungs, and false for those below
    the last but one of the first ladder.
    """
    bar = statistics.fmean(sign * draw[plan.coverage[0].rungs[-2], INTACT][name] for draw in draws)
    tops = {ladder.rungs[-1] for ladder in plan.coverage}
    bar_rung = plan.coverage[0].rungs[-2]
    return [
        (sign * test[coverage, quality][name] >= bar, coverage in tops)
        for coverage in plan.coverages
        for quality in plan.qualities
        if coverage != bar_rung
    ]


def quality_marks(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> Marks:
    """Return the same for quality: for each kind of defect the bar is its weakest, which is itself excluded."""
    marks = []
    for kind in plan.quality:
        bar = statistics.fmean(sign * draw[FULL, kind.rungs[1]][name] for draw in draws)
        marks += [
            (sign * test[coverage, quality][name] >= bar, quality == INTACT)
            for coverage in plan.coverages
            for quality in (kind.rungs[0], *kind.rungs[2:])
        ]
    return marks
