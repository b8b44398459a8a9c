"""The report card's scores: what of a planted truth can be read off a measure, and how often its marks are wrong.

A measure is calibrated by cases that differ in one thing only, and then read where the other thing differs too.
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
    """Figures of a ladder's rungs, to read positions on it by: 0 .. 1."""

    values: np.ndarray  # of the rungs, each a mean over draws; more is better
    positions: np.ndarray

    def read(self, value: float) -> float:
        """The position whose figure it is, by the best rising fit to the rungs, linear between them.

        Rungs whose figures do not rise share their mean position, so that a measure which does not see the ladder reads
        its middle whatever the truth.
        """
        from sklearn.isotonic import isotonic_regression

        rising = isotonic_regression(self.values)
        levels = np.unique(rising)
        return float(np.interp(value, levels, [self.positions[rising == level].mean() for level in levels]))


def coverage_scale(ladder: Ladder, draws: Sequence[Figures], name: str, sign: int) -> Scale:
    """Intact images, by their coverage."""
    rows = [[sign * draw[rung, INTACT][name] for rung in ladder.rungs] for draw in draws]
    return Scale(np.mean(rows, 0), ladder.positions)


def quality_scale(ladder: Ladder, draws: Sequence[Figures], name: str, sign: int) -> Scale:
    """Images of all modes, by their quality, worst first."""
    rows = [[sign * draw[FULL, rung][name] for rung in reversed(ladder.rungs)] for draw in draws]
    return Scale(np.mean(rows, 0), ladder.positions)


def coverage_errors(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> dict[State, float]:
    """(ladder of coverage, ladder of quality) -> mean error of the readings where that quality is worse than intact."""
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
    """(ladder of coverage, ladder of quality) -> mean error of the readings where that coverage is less than full."""
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
    """(mark, truth) of every case; the bar is intact images of nine in ten modes, the first ladder's last rung but one.

    True: at least the bar. Truth is true of the top rungs, and false of those below the last but one.
    """
    bar = statistics.fmean(sign * draw[plan.coverage[0].rungs[-2], INTACT][name] for draw in draws)
    tops = {ladder.rungs[-1] for ladder in plan.coverage}
    beside = plan.coverage[0].rungs[-2]
    return [
        (sign * test[coverage, quality][name] >= bar, coverage in tops)
        for coverage in plan.coverages
        for quality in plan.qualities
        if coverage != beside
    ]


def quality_marks(plan: Plan, draws: Sequence[Figures], test: Figures, name: str, sign: int) -> Marks:
    """The same of quality: for each kind of defect the bar is its weakest, which is itself left out."""
    marks = []
    for kind in plan.quality:
        bar = statistics.fmean(sign * draw[FULL, kind.rungs[1]][name] for draw in draws)
        marks += [
            (sign * test[coverage, quality][name] >= bar, quality == INTACT)
            for coverage in plan.coverages
            for quality in (kind.rungs[0], *kind.rungs[2:])
        ]
    return marks
