"""Kinds of cases: the class of a case, constructors for kinds that several figures share, and their closed forms."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from bench.evaluation.metrics.intervals import half_width
from bench.selftest.inputs import DRAWS, GAUSSIANS, Inputs

WIDTHS = 2  # tolerance in half widths: those of one evaluation are over samples, with the reference fixed
CHANCE = 0.999  # level of an interval whose distribution is known


@dataclass(frozen=True)
class Case:
    """`measure` returns values of the inputs, `check` whether they are as expected; `show` is their format."""

    about: str
    figure: str
    expected: str
    measure: Callable[[Inputs], tuple[float, ...] | tuple[str]]
    check: Callable[..., bool]
    show: str = "{:.4g}"

    def __str__(self) -> str:
        return f"{self.about}: {self.figure}"


def figures(about: str, names: tuple[str, ...], inputs: Inputs) -> tuple[float, ...]:
    return tuple(inputs[about].metrics[name] for name in names)


def exactly(about: str, figure: str, value: float) -> Case:
    return Case(about, figure, f"{value:g}", partial(figures, about, (figure,)), lambda measured: measured == value)


def near(about: str, figure: str, value: float, tolerance: float, words: str) -> Case:
    def check(measured: float) -> bool:
        return abs(measured - value) <= tolerance

    return Case(about, figure, words, partial(figures, about, (figure,)), check, "{:.6g}")


def half(inputs: Inputs, about: str, figure: str) -> float:
    """Return half of the length of a figure's 95% interval."""
    low, high = inputs[about].intervals[figure]
    return (high - low) / 2


def within(about: str, figure: str, value: float, why: str = "") -> Case:
    """Return the case of a figure whose expectation is known and whose interval is measured."""

    def measure(inputs: Inputs) -> tuple[float, ...]:
        return inputs[about].metrics[figure], half(inputs, about, figure)

    def check(measured: float, half: float) -> bool:
        return abs(measured - value) <= WIDTHS * half

    return Case(about, figure, f"{value:.4g}{why}, ± {WIDTHS} half widths", measure, check, "{:.4g} ± {:.2g}")


def on_average(figure: str, value: float, why: str, draws: Callable[[Inputs], list[float]]) -> Case:
    """Return the same for the mean over independent draws of samples and reference, whose interval is narrow."""

    def measure(inputs: Inputs) -> tuple[float, ...]:
        values = draws(inputs)
        return sum(values) / len(values), half_width(values)

    def check(measured: float, half: float) -> bool:
        return abs(measured - value) <= WIDTHS * half

    words = f"{value:.4g}{why}, ± {WIDTHS} half widths"
    return Case(f"grid_25, mean of {DRAWS} draws", figure, words, measure, check, "{:.4g} ± {:.2g}")


def flags(about: str, start: str) -> Case:
    """Return the case that the flags begin with `start`, which is "none" where there is no flag."""

    def measure(inputs: Inputs) -> tuple[str]:
        return ("; ".join(inputs[about].flags) or "none",)

    return Case(about, "flags", start, measure, lambda value: value.startswith(start), "{}")


def monotone(kind: str, baseline: str, strengths: tuple[float, ...], figure: str, sign: int) -> Case:
    """Return the case that `figure` rises (sign 1) or falls (-1) with every strength, starting at the baseline."""
    names = [baseline, *(f"{kind} {strength:g}" for strength in strengths)]

    def measure(inputs: Inputs) -> tuple[float, ...]:
        return tuple(inputs[name].metrics[figure] for name in names)

    def check(*value: float) -> bool:
        return all(sign * a < sign * b for a, b in pairwise(value))

    about = f"{kind} 0, {', '.join(f'{strength:g}' for strength in strengths)}"
    return Case(about, figure, {1: "rises", -1: "falls"}[sign], measure, check, ", ".join(["{:.3g}"] * len(names)))


def share_of_baseline(about: str, figure: str, baseline: str, share: float, tolerance: float) -> Case:
    """Return the case of a figure that falls to a share of the baseline's."""

    def measure(inputs: Inputs) -> tuple[float, ...]:
        return (inputs[about].metrics[figure] / inputs[baseline].metrics[figure],)

    words = f"{share:g} ± {tolerance:g}"
    return Case(about, f"{figure} / baseline", words, measure, lambda value: abs(value - share) <= tolerance)


def equal_kl(about: str, modes: int, n: int) -> Case:
    """Return the case that 2 n KL of n samples of K modes is chi-squared with K - 1 degrees of freedom (Wilks 1938)."""

    def check(value: float) -> bool:
        from scipy.stats import chi2

        low, high = chi2.interval(CHANCE, modes - 1)
        return low <= 2 * n * value <= high

    words = f"{modes - 1} / {2 * n:,} = {(modes - 1) / (2 * n):.4f}, {CHANCE:.1%} interval"
    return Case(about, "mode_kl", words, partial(figures, about, ("mode_kl",)), check)


def binomial(about: str, figure: str, why: str, n: int, measure: Callable[[Inputs], tuple[float, ...]]) -> Case:
    """Return the case of a share of n; `measure` returns the measured and the expected share."""

    def check(value: float, share: float) -> bool:
        from scipy.stats import binom

        low, high = binom.interval(CHANCE, n, share)
        return low <= value * n <= high

    return Case(about, figure, f"{why}, {CHANCE:.1%} interval", measure, check, "{:.4f}, expected {:.4f}")


def expected_coverage(n: int, k: int) -> float:
    """Return the expected coverage of n reference points by n samples of the data: Naeem et al., arXiv:2002.09797.

    The 2n - 1 points beside a reference point are in random order of their distance to it. It is not covered where its
    k nearest are all of the reference: the first with chance (n - 1) / (2n - 1), ..., the k-th with (n - k) / (2n - k).
    Each of the n samples is as likely to lie between any two of the n - 1 reference points in this order, k of n places
    are in the ball, and so the density is expected to be n k / n / k = 1.
    """
    return 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))


def occupancy(modes: int, n: int) -> tuple[float, float]:
    """Return mean and deviation of the number of equally likely modes that n independent samples show."""
    absent, both_absent = (
        (1 - 1 / modes) ** n,
        (1 - 2 / modes) ** n,
    )  # probabilities that a mode, and that two modes, have no sample
    return modes * (1 - absent), math.sqrt(modes * absent + modes * (modes - 1) * both_absent - (modes * absent) ** 2)


def frechet() -> float:
    """Return FID of GAUSSIANS. In two dimensions Tr A^(1/2) = (Tr A + 2 det(A)^(1/2))^(1/2), by Cayley and Hamilton."""
    (m, C), (m_r, C_r) = GAUSSIANS
    A = C @ C_r
    root = (A.trace() + 2 * A.det().sqrt()).sqrt()
    return float((m - m_r).square().sum() + C.trace() + C_r.trace() - 2 * root)
