"""Clipped density and clipped coverage: balls' counts, calibrated as a share of good samples.

Salvy et al. 2025, arXiv:2507.01761. scipy is imported only when it is used: it takes seconds.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.prdc import ENOUGH


def clipped_density(sets: FeatureSets) -> Estimate:
    """Return the share of k reference balls that a sample lies in, relative to the reference's own points, 0 .. 1.

    Three things are clipped: radii at their median, the share of each sample at 1, and the mean over samples and
    reference subsets at 1.
    """
    crowds, k = sets.manifolds.crowds, sets.protocol.dc_neighbours
    relative = torch.stack([relative_filling(crowd.clipped, crowd.own, k) for crowd in crowds])
    samples = relative.mean(0)
    sums, sizes = (
        samples.new_zeros(int(sets.groups.max()) + 1).index_add(0, sets.groups, samples),
        sets.groups.bincount(),
    )
    return _over_subsets(relative.mean(1), (samples.sum() - sums) / (len(samples) - sizes))


def clipped_coverage(sets: FeatureSets) -> Estimate:
    """Return the share of good samples that would fill the reference's balls as much, 0 .. 1; the mean over subsets."""
    crowds, k, n = sets.manifolds.crowds, sets.protocol.dc_neighbours, len(sets.groups)
    figures, without = [], []
    for crowd in crowds:
        held = crowd.held.sum(1)
        figures.append(good_share(held, n, k))
        rest = zip((held[:, None] - crowd.held).T, sets.groups.bincount().tolist(), strict=True)
        without.append([good_share(counts, n - size, k) for counts, size in rest])
    return _over_subsets(*(torch.tensor(values, dtype=torch.float64) for values in (figures, np.mean(without, 0))))


def relative_filling(balls: Tensor, own_balls: Tensor, k: int) -> Tensor:
    """Return each sample's number of reference balls, at most k, over the mean of the reference's own numbers.

    balls: N; own_balls: M, of the other points. Radii reach to the k-th neighbour, and at most their median.
    """
    return balls.clamp(max=k) / own_balls.clamp(max=k).mean()


def good_share(held: Tensor, m: int, k: int) -> float:
    """Return the share of m samples that, if they are of the data, is expected to fill balls as much, 0 .. 1.

    held: M, the number of samples in each reference ball, which reaches to the k-th neighbour.
    """
    expected = expected_filling(len(held), m, k)
    return float(np.interp(float((held / k).clamp(max=1).mean()), expected, np.linspace(0, 1, len(expected))))


@lru_cache(maxsize=32)
def expected_filling(n: int, m: int, k: int) -> np.ndarray:
    """Return the mean of min(count in a ball, k) / k for 0 .. m samples of the data; balls hold k of n - 1 others."""
    from scipy.stats import betabinom

    good = np.arange(m + 1)[:, None]
    deficit = (k - np.arange(k)) * betabinom.pmf(np.arange(k), good, k, n - k)
    return 1 - deficit.sum(1) / k


def _over_subsets(figures: Tensor, without: Tensor) -> Estimate:
    """Return the mean of R subsets' figures, at most 1; the interval adds their spread to the jackknife over samples.

    There is no interval where fewer subsets leave the variance due to the reference unknown.
    """
    value, R = min(1.0, float(figures.mean())), len(figures)
    if R < ENOUGH:
        return Estimate(value)
    return Estimate(value, without, extra=(float(figures.var() / R), R - 1.0), bounds=(0.0, 1.0))
