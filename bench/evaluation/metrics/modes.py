"""Assign samples to the data's modes, and measure how many modes they show and how evenly.

A metric is None where a protocol has no modes, or where no sample shows a mode and the figure would not be finite.
"""

import math

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import BOUNDLESS, Estimate, over_groups, share

NORMAL = 1.96  # deviations of a Gaussian on either side that hold 95%
RARE = 3  # samples of a mode that another draw of the model misses with a probability of 5%
RADIUS = 3  # standard deviations around a centre that count as its mode: Srivastava et al. 2017


def by_classifier(logits: Tensor, classes: int) -> Tensor:
    """Return the mode, int64 N in 0 .. classes^C - 1, of logits N x (C * classes) of C channels classified separately.

    The first channel is the most significant digit: Stacked MNIST's digits a, b, c are mode 100 a + 10 b + c.
    Raises EvaluationError if the logits are not of whole channels.
    """
    if logits.dim() != 2 or logits.shape[1] == 0 or logits.shape[1] % classes:
        raise EvaluationError(f"logits of shape {tuple(logits.shape)} are not N x (channels * {classes} classes).")
    digits = logits.unflatten(1, (-1, classes)).argmax(2)
    weights = classes ** torch.arange(digits.shape[1] - 1, -1, -1, device=digits.device)
    return (digits * weights).sum(1)


def by_centres(points: Tensor, centres: Tensor, deviation: float) -> Tensor:
    """Return the nearest centre, int64 N, if it is within 3 deviations, else -1, of points N x D and centres K x D.

    `deviation` is of each coordinate of a mode. A point that is not finite shows no mode.
    """
    distances = torch.cdist(points.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest, mode = distances.min(1)
    return torch.where(nearest <= RADIUS * deviation, mode, -1)


def modes_found(sets: FeatureSets) -> Estimate | None:
    """Count the modes that at least one sample shows: 0 .. K, and never more than samples.

    Metz et al. 2017, arXiv:1611.02163, Section 3.3.1. The interval is that of the expected count for this number of
    samples, from the number of samples of each mode: `_count_interval`.
    """
    if sets.modes is None:
        return None
    counts = histograms(sets).sum(0)
    return Estimate(float((counts > 0).sum()), ends=_count_interval(counts))


def _count_interval(counts: Tensor) -> tuple[float, float]:
    """Return the 95% interval of the number of K modes that samples show, from the samples of each mode: float64 K.

    A mode of which it is open whether samples show it adds at most 1/4 to the variance. An integer is half a step from
    its neighbours.
    """
    count, K = int((counts > 0).sum()), len(counts)
    variance = _count_variance(counts) if count else 0.0
    rare = bool(((counts > 0) & (counts <= RARE)).any())
    below, above = (NORMAL * math.sqrt(max(variance, 0.25 if uncertain else 0.0)) + 0.5
                    for uncertain in (rare, count < K))  # fmt: skip
    return max(0.0, count - below), min(float(K), count + above)


def _count_variance(counts: Tensor) -> float:
    """Estimate the variance of the number of modes that n samples show, from their counts: float64 K, not all 0.

    The rates lambda of the model's A modes are assumed to be Gamma with mean n / A and the overdispersion of the
    counts. A in 1 .. K is the number whose expected count of modes is the observed one.
    """
    n, count = float(counts.sum()), float((counts > 0).sum())
    A = torch.arange(count, len(counts) + 1, dtype=torch.float64)
    mean = n / A
    excess = (counts.square().sum() / A - mean.square() - mean).clamp(min=1e-9 * n)
    shape = (mean.square() / excess).clamp(max=1e6)
    # E exp(-s lambda) = (1 + s mean / shape)^-shape
    missed, twice = ((-shape * torch.log1p(s * mean / shape)).exp() for s in (1, 2))
    best = int((A * (1 - missed) - count).abs().argmin())
    # sum_k P(shown) P(not shown) of Poisson counts, less the part that is due to their sum, which is n
    single = A * mean * missed / (1 + mean / shape)  # A E lambda exp(-lambda)
    return max(0.0, float((A * (missed - twice) - single.square() / n)[best]))


def mode_kl(sets: FeatureSets) -> Estimate | None:
    """Compute KL(q || p) in nats of the samples' modes q from the data's p, without samples of no mode; >= 0.

    The samples come first, so a mode without samples adds nothing and the figure is finite: the "reverse KL" of Metz et
    al. 2017, arXiv:1611.02163, and what the code of PacGAN computes (Lin et al. 2018, arXiv:1712.04086). n samples of
    the data itself score about (K - 1) / (2 n). Raises EvaluationError if the data never shows one of its modes.
    """
    if sets.modes is None:
        return None
    p = sets.modes.probabilities
    if not (p > 0).all():
        raise EvaluationError(f"mode {int((p > 0).int().argmin())} has no probability in the data; its KL is infinite.")

    def kl(counts: Tensor) -> Tensor:
        q = counts / counts.sum(-1, keepdim=True)
        return torch.special.xlogy(q, q / p).sum(-1).clamp(min=0)  # equal ones come out as -1e-17 or so

    counts = histograms(sets)
    return estimate(kl(counts.sum(0)), *over_groups(kl, counts), bounds=(0.0, -math.log(float(p.min()))))


def high_quality(sets: FeatureSets) -> Estimate | None:
    """Compute the share of samples, 0 .. 1, that show any mode: within 3 deviations of a centre, by `by_centres`.

    Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761. Exact samples of two-dimensional Gaussians score
    1 - exp(-9/2) = 0.989; where a classifier assigns the modes, it is always 1.
    """
    if sets.modes is None:
        return None
    n = len(sets.modes.assigned)
    return share(float((sets.modes.assigned >= 0).sum()) / n, n)


def histograms(sets: FeatureSets) -> Tensor:
    """Count the samples of each group that show each mode, float64 G x K, without samples of no mode."""
    assert sets.modes is not None
    G, K = int(sets.groups.max()) + 1, len(sets.modes.probabilities)
    mask = sets.modes.assigned >= 0
    cells = sets.groups[mask] * K + sets.modes.assigned[mask]
    return torch.bincount(cells, minlength=G * K).view(G, K).double()


def estimate(
    value: Tensor, without: Tensor, pairs: Tensor | None = None, bounds: tuple[float, float] = BOUNDLESS
) -> Estimate | None:
    """Return the estimate; None where the figure is not finite, no interval where one of the others is not."""
    if not value.isfinite():
        return None
    if pairs is not None and not pairs.triu(1).isfinite().all():
        pairs = None
    return Estimate(float(value), without if without.isfinite().all() else None, pairs, bounds=bounds)
