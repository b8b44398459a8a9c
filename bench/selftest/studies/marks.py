"""Estimate how often a mark is wrong where the true figure is the bar: Welch's test, the former rule, one seed."""

import math
from dataclasses import dataclass

import numpy as np

from bench.evaluation.protocol import GROUPS
from bench.selftest.study import Study
from bench.table.figure import Figure, mean, quantile
from bench.table.rules import UNSURE, decision

SEED = 2026
DRAWS = 4000


@dataclass(frozen=True)
class Case:
    """A model's figure and its bar, both of `seeds` trainings; deviations between trainings in units of the bar.

    bar_seeds: 20 stands for real images, whose interval has 19 degrees of freedom.
    distance: of the model's true figure, in units of the bar; 1 is the bar.
    """

    seeds: int
    bar_seeds: int
    spread: float
    bar_spread: float
    distance: float = 1.0


CASES = (
    Case(3, 3, 0.1, 0.1),
    Case(3, 20, 0.1, 0.1),
    Case(3, 20, 0.1, 0.3),
    Case(5, 5, 0.1, 0.1),
    Case(3, 3, 0.1, 0.1, 1.3),
    Case(3, 20, 0.1, 0.1, 1.3),
    Case(5, 5, 0.1, 0.1, 1.3),
)
RATIOS = (0.0, 1.0, 1.5, 3.0, 10.0)  # training's deviation over that of the samples


def study() -> Study:
    """Compute the rates of every case."""
    over_seeds = [(case, *decision_rates(case)) for case in CASES]
    single = [(ratio, one_seed(ratio)) for ratio in RATIOS]
    first = [["seeds", "bar's", "spread", "bar's", "true figure / bar", "decided, Welch", "decided, before"]]
    first += [
        [
            f"{case.seeds}", f"{case.bar_seeds}", f"{case.spread:g}", f"{case.bar_spread:g}", f"{case.distance:g}",
            f"{welch:.1%}", f"{before:.1%}",
        ]
        for case, welch, before in over_seeds
    ]  # fmt: skip
    second = [
        ["training's deviation / the samples'", "wrong"],
        *([f"{ratio:g}", f"{rate:.1%}"] for ratio, rate in single),
    ]
    return Study(
        f"Normal figures of a model and of its bar, {DRAWS:,} draws a line. At a distance of 1 every decided mark is "
        "wrong, and 5% should be; elsewhere the share that is decided is the power. 'Before' is the rule that took half"
        " widths of intervals for deviations. The second table has one training seed, an interval over samples alone, "
        "and an exact bar: the chance of training that it lacks makes marks wrong, so the table puts them in brackets.",
        SEED,
        [("Marks over training seeds", first), ("Marks from one training seed, at the bar", second)],
        {
            "over_seeds": [[welch, before] for _, welch, before in over_seeds],
            "one_seed": {str(ratio): rate for ratio, rate in single},
        },
    )


def decision_rates(case: Case, draws: int = DRAWS) -> tuple[float, float]:
    """Return the share of draws in which the figure differs from its bar: by Welch's test, and by the former rule."""
    random = np.random.default_rng(SEED)
    welch = before = 0
    for _ in range(draws):
        figure = mean(random.normal(case.distance, case.spread, case.seeds).tolist())
        bar = mean(random.normal(1, case.bar_spread, case.bar_seeds).tolist())
        welch += decision(figure, bar, "lower") != UNSURE
        before += abs(figure.value - bar.value) > math.hypot(figure.half or 0, bar.half or 0)
    return welch / draws, before / draws


def one_seed(ratio: float, draws: int = DRAWS) -> float:
    """Return the share of wrong marks at an exact bar, where training varies `ratio` times as much as the samples."""
    random = np.random.default_rng(SEED)
    freedom = GROUPS - 1
    wrong = 0
    for _ in range(draws):
        value = random.normal(0, ratio) + random.normal(0, 1)
        half = quantile(freedom) * math.sqrt(random.chisquare(freedom) / freedom)
        wrong += decision(Figure(value, value - half, value + half, freedom), Figure(0.0), "lower") != UNSURE
    return wrong / draws
