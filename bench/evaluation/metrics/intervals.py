"""Estimate how a figure varies with the samples: jackknives, and intervals of shares."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.keys import key
from bench.evaluation.protocol import GROUPS

MANY = 10_000  # degrees of freedom of a variance that is known
BOUNDLESS = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A figure, and what its 95% interval is computed from; without any of it there is no interval.

    `without`: float64 G, the figure of all samples but those of group g. `pairs`: float64 G x G, the figure without
    the groups g and h, above the diagonal, and NaN for omitted pairs; it corrects the
    jackknife's bias. `extra`: a variance that is added to the jackknife's, such as the reference's, and its degrees of
    freedom. `bounds`: the least and the greatest value that the figure can have. `ends`: the interval itself, where the
    metric knows it.
    """

    value: float
    without: Tensor | None = None
    pairs: Tensor | None = None
    extra: tuple[float, float] | None = None
    bounds: tuple[float, float] = BOUNDLESS
    ends: tuple[float, float] | None = None

    @property
    def half_width(self) -> float | None:
        """Half of the 95% interval before the bounds cut it, under Student's t; None without variances."""
        parts = [] if self.extra is None else [self.extra]
        if self.without is not None:
            parts.append((jackknife(self.without, self.value, self.pairs), len(self.without) - 1))
        return half_width_of(parts) if parts else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the 95% interval, within the bounds; None where there is nothing to make it of."""
        if self.ends is not None:
            return self.ends
        half = self.half_width
        if half is None:
            return None
        low, high = self.bounds
        return max(low, self.value - half), min(high, self.value + half)


def jackknife(without: Tensor, value: float, pairs: Tensor | None = None) -> float:
    """Estimate the variance of a figure from its values without each group and, with `pairs`, each pair of groups.

    The plain jackknife counts the part that is quadratic in the samples twice; near 0 a distance has no other part.
    Efron & Stein 1981, The jackknife estimate of variance (Ann. Stat. 9:3), Section 5, estimate and subtract it.
    The correction is at most half of the variance, the excess of a purely quadratic figure.
    """
    G = len(without)
    # Kott 2001, The delete-a-group jackknife (J. Off. Stat. 17:4), Eq. 1: (G - 1) / G sum_g (t_(g) - t)^2
    variance = float((G - 1) / G * (without - without.mean()).square().sum())
    if pairs is None or G < 3:
        return variance
    g, h = torch.triu_indices(G, G, 1)
    # Q_gh = G t - (G - 1) (t_(g) + t_(h)) + (G - 2) t_(gh), and 1 / (G (G - 1)) sum_{g < h} (Q_gh - Q)^2 is half a mean
    Q = G * value - (G - 1) * (without[g] + without[h]) + (G - 2) * pairs[g, h]
    Q = Q[Q.isfinite()]
    return max(variance / 2, variance - float((Q - Q.mean()).square().mean()) / 2)


def over_some_pairs(figure: Callable[[int, int], float], G: int, partners: int) -> Tensor | None:
    """Return `pairs` of an expensive figure: each group with the next `partners`, in a ring; 0: disjoint pairs.

    None where there are too few groups for a ring.
    """
    if 2 * partners + 1 >= G:
        return None
    pairs = torch.full((G, G), math.nan, dtype=torch.float64)
    ring = [(g, (g + step) % G) for step in range(1, partners + 1) for g in range(G)]
    for g, h in ring or zip(range(0, G - 1, 2), range(1, G, 2), strict=True):
        pairs[min(g, h), max(g, h)] = figure(g, h)
    return pairs


def over_groups(figure: Callable[[Tensor], Tensor], sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return `without` and `pairs` of a figure of additive statistics.

    sums: float64 G x K, the statistics of each group; figure: ... x K, of some samples together -> ... .
    """
    total = sums.sum(0)
    return figure(total - sums), figure(total - sums[:, None] - sums[None])


def pooled(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Combine independent variances and their degrees of freedom into those of the sum.

    Satterthwaite 1946, An approximate distribution of estimates of variance components (Biometrics 2:6), Eq. 17.
    """
    variance = sum(v for v, _ in parts)
    spread = sum(v**2 / freedom for v, freedom in parts)
    return variance, variance**2 / spread if spread > 0 else MANY


def half_width_of(parts: Sequence[tuple[float, float]]) -> float:
    """Return half of the 95% interval of a figure whose variance is a sum of (variance, degrees of freedom)."""
    from scipy.stats import t

    variance, freedom = pooled(parts)
    return float(t.ppf(0.975, freedom)) * math.sqrt(variance)


def share(value: float, n: int, parts: Sequence[tuple[float, float]] = ()) -> Estimate:
    """Return a share, 0 .. 1, with Wilson's interval, which stays within these bounds and is valid near them.

    n: independent draws that the share is of. parts: its variances with their degrees of freedom, where the draws are
    not independent: the interval is then that of as many draws as would vary so much (Korn & Graubard 1998).
    """
    from scipy.stats import norm

    z, spread = float(norm.ppf(0.975)), value * (1 - value)
    half = half_width_of(parts) if parts else 0.0
    effective = z**2 * spread / half**2 if half > 0 and spread > 0 else n
    # Wilson 1927 (J. Am. Stat. Assoc. 22:158): (p + z^2 / 2n ± z (p (1 - p) / n + z^2 / 4n^2)^(1/2)) / (1 + z^2 / n)
    ratio = z**2 / effective
    centre = value + ratio / 2
    reach = math.sqrt(spread * ratio + ratio**2 / 4)
    ends = min(value, (centre - reach) / (1 + ratio)), max(value, (centre + reach) / (1 + ratio))
    return Estimate(value, bounds=(0.0, 1.0), ends=(max(0.0, ends[0]), min(1.0, ends[1])))


def groups(n: int, seed: int) -> Tensor:
    """Assign each of n >= 2 samples to a group, int64 in 0 .. min(GROUPS, n) - 1: at random, evenly."""
    return torch.from_numpy(np.random.RandomState(key("groups", seed)).permutation(n)) % min(GROUPS, n)


def half_width(values: Sequence[float]) -> float:
    """Return half of the 95% interval of the mean of two or more values, under Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5)
