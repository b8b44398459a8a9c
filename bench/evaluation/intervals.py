"""How far a figure would move with other samples of the same number: the delete-a-group jackknife."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GROUPS = 20


@dataclass(frozen=True, eq=False)
class Estimate:
    """A figure, and what it would be without each group of the samples.

    `without`: float64 G, the figure of all samples but those of group g, the reference unchanged; None where a figure
    has no such values. `extra`: a variance that is added to the jackknife's, and its degrees of freedom. `ends`: the
    interval itself, where the metric knows it.
    """

    value: float
    without: Tensor | None = None
    extra: tuple[float, float] | None = None
    ends: tuple[float, float] | None = None

    @property
    def half_width(self) -> float | None:
        """Half of the 95% interval over samples, under Student's t; None without `without`."""
        from scipy.stats import t

        if self.without is None:
            return math.sqrt(self.extra[0]) * float(t.ppf(0.975, self.extra[1])) if self.extra else None
        G = len(self.without)
        # Kott 2001, The delete-a-group jackknife (J. Off. Stat. 17:4), Eq. 1: (G - 1) / G sum_g (t_(g) - t)^2
        variance = (G - 1) / G * (self.without - self.without.mean()).square().sum()
        if self.extra is None:
            return float(t.ppf(0.975, G - 1) * variance.sqrt())
        total = float(variance) + self.extra[0]
        freedom = total**2 / (float(variance) ** 2 / (G - 1) + self.extra[0] ** 2 / self.extra[1]) if total else G - 1
        return float(t.ppf(0.975, freedom)) * math.sqrt(total)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the 95% interval over samples; None without variances."""
        if self.ends is not None:
            return self.ends
        half = self.half_width
        return None if half is None else (self.value - half, self.value + half)


def groups(n: int, seed: int) -> Tensor:
    """The group of each of n >= 2 samples, int64 in 0 .. min(GROUPS, n) - 1: dealt at random, evenly."""
    return torch.from_numpy(np.random.RandomState(seed).permutation(n)) % min(GROUPS, n)


def half_width(values: Sequence[float]) -> float:
    """Half of the 95% interval of the mean of two or more values, under Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5)
