"""FID, and its extrapolation to infinitely many samples."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Moments
from bench.evaluation.keys import key
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate, over_some_pairs
from bench.evaluation.protocol import FEWEST

CHEAP = 512  # dimensions up to which FID_infinity's 140 eigenvalue problems take seconds
LEAST = 5  # samples a dimension that FID_infinity needs


class _Reference:
    """The Gaussian that samples are compared with."""

    def __init__(self, moments: Moments) -> None:
        self.mean = moments.mean
        covariance = moments.covariance
        self.trace = covariance.trace()
        values, vectors = torch.linalg.eigh(covariance)
        self.root = vectors * _significant(values).sqrt() @ vectors.T

    def distance(self, moments: Moments) -> float:
        """Return its squared Fréchet distance to the Gaussian of these moments; at least 0."""
        C = moments.covariance
        # (C_r C)^(1/2) and (C_r^(1/2) C C_r^(1/2))^(1/2) have equal traces, and the second matrix is symmetric
        root = _significant(torch.linalg.eigvalsh(self.root @ C @ self.root)).sqrt().sum()
        # Heusel et al. 2017, Eq. 6: |m - m_r|^2 + Tr(C + C_r - 2 (C C_r)^(1/2))
        distance = (moments.mean - self.mean).square().sum() + C.trace() + self.trace - 2 * root
        return max(0.0, float(distance))  # equal moments come out as -1e-14 or so


def frechet_to(reference: Tensor) -> Callable[[Tensor], float]:
    """Return the function that computes FID of N x D features against these."""
    gaussian = _Reference(Moments.from_features(reference))
    return lambda generated: gaussian.distance(Moments.from_features(generated))


@lru_cache(maxsize=2)  # all rows of a table have the same two
def _reference(moments: Moments) -> _Reference:
    return _Reference(moments)


def fid(sets: FeatureSets) -> Estimate:
    """Heusel et al. 2017 (arXiv:1706.08500): Fréchet distance of the Gaussians with the two sets' moments; at least 0.

    Biased upwards by the number of samples, so it compares only at equal numbers. In float64. The interval is over
    samples, of the figure at this number of them.
    """
    return _frechet(sets.generated, sets.reference_moments, sets.groups)


def fd_random(sets: FeatureSets) -> Estimate | None:
    """Return the same distance in the features of a randomly initialised network, which no model is tuned on.

    Naeem et al. 2020 (arXiv:2002.09797) compare generative models in features of such networks.
    """
    if sets.random is None:
        return None
    return _frechet(sets.random.generated, sets.random.reference_moments, sets.groups)


def _frechet(generated: Tensor, reference_moments: Moments, groups: Tensor) -> Estimate:
    """Return the distance of N x D features to a Gaussian; the interval is by groups of them, int64 N."""
    reference = _reference(reference_moments)
    whole = Moments.from_features(generated)
    parts = [Moments.from_features(generated[groups == g]) for g in range(int(groups.max()) + 1)]
    # `+` of -n samples takes n away; a twentieth of them costs no digits
    negatives = [Moments(-part.count, part.mean, -part.scatter) for part in parts]
    rest = [whole + part for part in negatives]
    without = torch.tensor([reference.distance(moments) for moments in rest], dtype=torch.float64)
    partners = 2 if generated.shape[1] <= CHEAP else 0
    pairs = over_some_pairs(lambda g, h: reference.distance(rest[g] + negatives[h]), len(parts), partners)
    return Estimate(reference.distance(whole), without, pairs, bounds=(0.0, math.inf))


@lru_cache(maxsize=1)  # for `fid_infinity`, which draws a line through them
def fid_by_count(sets: FeatureSets) -> dict[int, float]:
    """FID of N samples for N = n // 4, n // 2 and n: the mean over 4, 2 and 1 disjoint random parts of N samples.

    Raises EvaluationError for fewer than 8 samples.
    """
    return _by_count(_reference(sets.reference_moments), sets.generated[_order(sets)])


def fid_infinity(sets: FeatureSets) -> Estimate | None:
    """Chong & Forsyth 2020 (arXiv:1911.07023): FID of N samples is FID_infinity + c / N; a line through `fid_by_count`.

    It is less biased than FID but varies more, and near 0 it is as often below 0 as above: it is left so. There is no
    `without` for features of more than 512 dimensions, where it would take minutes, and no figure of fewer than 5
    samples a dimension, since the line bends where a quarter of them hardly fills the covariance, and the figure is
    then too low. Raises as `fid_by_count`.
    """
    if len(sets.generated) < LEAST * sets.generated.shape[1]:
        return None
    reference = _reference(sets.reference_moments)
    without, pairs = None, None
    if sets.generated.shape[1] <= CHEAP:
        order = _order(sets)
        shuffled, groups = sets.generated[order], sets.groups[order]
        G = int(groups.max()) + 1

        def figure_without(*out: int) -> float:
            mask = ~torch.isin(groups, torch.tensor(out))
            return _extrapolated(_by_count(reference, shuffled, mask))

        without = torch.tensor([figure_without(g) for g in range(G)], dtype=torch.float64)
        pairs = over_some_pairs(figure_without, G, 1)
    return Estimate(_extrapolated(fid_by_count(sets)), without, pairs)


def _order(sets: FeatureSets) -> Tensor:
    """Return a random order, because the images of a folder or of a split may be sorted by class."""
    random = np.random.RandomState(key("order", sets.protocol.seed))
    return torch.from_numpy(random.permutation(len(sets.generated)))


def _by_count(reference: _Reference, features: Tensor, mask: Tensor | None = None) -> dict[int, float]:
    """Return the mean FID of 4, 2 and 1 runs of n x D features; of those in `mask`, bool n, each in its run."""
    n = len(features)
    if n < FEWEST:
        raise EvaluationError(
            f"samples={n} are too few for FID∞, which needs {FEWEST} or more.", key="samples", value=n
        )
    figures = {}
    for parts in (4, 2, 1):
        runs = features[: n // parts * parts].chunk(parts)
        if mask is not None:
            runs = tuple(run[keep] for run, keep in zip(runs, mask[: n // parts * parts].chunk(parts), strict=True))
        figures[n // parts] = sum(reference.distance(Moments.from_features(run)) for run in runs) / parts
    return figures


def _extrapolated(by_count: dict[int, float]) -> float:
    """Return the intercept of FID over 1 / N by least squares, weighted by N.

    What is linear in the samples moves the means over runs alike, so it does not count. What is of second order varies
    by 1 / N^2 for one run, by 1 / (n N) for the mean over n / N of them.
    """
    N = torch.tensor(list(by_count), dtype=torch.float64)
    figures = torch.tensor(list(by_count.values()), dtype=torch.float64)
    design = torch.stack((torch.ones_like(N), 1 / N), 1) * N.sqrt()[:, None]
    return float(torch.linalg.lstsq(design, figures * N.sqrt()).solution[0])


def _significant(eigenvalues: Tensor) -> Tensor:
    """Set eigenvalues that differ from 0 by rounding alone to 0: the roots of a singular covariance's would add up."""
    return eigenvalues.where(eigenvalues > len(eigenvalues) * torch.finfo(torch.float64).eps * eigenvalues.max(), 0.0)
