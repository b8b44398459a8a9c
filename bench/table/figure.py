"""A figure with its 95% interval, and the test whether two differ, for marks, comparisons and reproductions.

Imports no torch, so that commands that only read records start quickly.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

NEAR = 1e-6  # of a half width: ends that deviate less from symmetry are symmetric up to rounding
Bounds = tuple[float, float]
UNBOUNDED = (-math.inf, math.inf)


@lru_cache
def quantile(freedom: float) -> float:
    """Return the t of Student's distribution with 95% between -t and t, for `freedom` > 0 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


@dataclass(frozen=True)
class Figure:
    """A number and the ends of its 95% interval under Student's t; without ends it is exact.

    freedom: degrees of freedom; over training seeds their number less one.
    error: the standard error where an end is cut at a bound; None: the ends determine it.
    """

    value: float
    low: float | None = None
    high: float | None = None
    freedom: float = 0.0
    error: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def half(self) -> float | None:
        """Half of the interval's width; None without an interval or if it is not symmetric about the value."""
        if self.interval is None:
            return None
        low, high = self.interval
        below, above, half = self.value - low, high - self.value, (high - low) / 2
        return half if abs(above - below) <= NEAR * half + 1e-12 * abs(self.value) else None

    def scaled(self, factor: Fraction | float) -> "Figure":
        """Return the figure in another unit, or a multiple of it; factor > 0."""
        if factor == 1:
            return self
        times, divisor = (factor.numerator, factor.denominator) if isinstance(factor, Fraction) else (factor, 1)
        ends = [None if end is None else end * times / divisor for end in (self.low, self.high, self.error)]
        return Figure(self.value * times / divisor, ends[0], ends[1], self.freedom, ends[2])

    def within(self, bounds: Bounds) -> "Figure":
        """Return the figure with its interval cut at the bounds of its true value; its standard error stays."""
        if self.interval is None or bounds[0] <= self.interval[0] <= self.interval[1] <= bounds[1]:
            return self
        low, high = (min(max(end, bounds[0]), bounds[1]) for end in self.interval)
        error = (self.interval[1] - self.interval[0]) / 2 / quantile(self.freedom) if self.error is None else self.error
        return replace(self, low=min(low, self.value), high=max(high, self.value), error=error)

    def standard_error(self, *, above: bool) -> float:
        """Return the standard error of the side above or below the value; 0 for an exact figure."""
        if self.error is not None or self.low is None or self.high is None:
            return self.error or 0.0
        return (self.high - self.value if above else self.value - self.low) / quantile(self.freedom)

    def difference(self, other: "Figure") -> "Figure":
        """Return this figure less the other, with Welch's 95% interval; without an interval if neither has one.

        Each end combines the sides that face each other: the lower end combines this figure's lower side and the
        other's upper side. Welch 1947, The generalization of Student's problem (Biometrika 34), with Satterthwaite's
        degrees of freedom.
        """
        value = self.value - other.value
        if self.interval is None and other.interval is None:
            return Figure(value)
        (low, below), (high, above) = (self._end(other, value, above=above) for above in (False, True))
        return Figure(value, low, high, below if value > 0 else above)

    def _end(self, other: "Figure", value: float, *, above: bool) -> tuple[float, float]:
        """Return an end of the difference's interval, and its degrees of freedom."""
        a, b = self.standard_error(above=above) ** 2, other.standard_error(above=not above) ** 2
        if a + b == 0:
            return value, max(self.freedom, other.freedom)
        parts = sum(part**2 / figure.freedom for part, figure in ((a, self), (b, other)) if part)
        freedom = (a + b) ** 2 / parts
        reach = quantile(freedom) * math.sqrt(a + b)
        return value + (reach if above else -reach), freedom

    def differs(self, other: "Figure") -> bool | None:
        """Return whether the 95% interval of the difference excludes 0; None where neither figure has an interval."""
        gap = self.difference(other)
        return None if gap.low is None or gap.high is None else gap.low > 0 or gap.high < 0


Figures = dict[str, Figure]


def mean(values: Sequence[float], bounds: Bounds = UNBOUNDED) -> Figure:
    """Return the mean of two or more values and its interval under Student's t, cut at the bounds."""
    freedom = len(values) - 1
    value, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    reach = quantile(freedom) * error
    return Figure(value, value - reach, value + reach, freedom).within(bounds)
