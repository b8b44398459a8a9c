"""Modes of the data: which one a sample shows, how many are shown, and how evenly.

A metric is None where a protocol has no modes, or where no sample shows one and the figure would have no finite value.
"""

import math

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import BOUNDLESS, Estimate, over_groups, share

NORMAL = 1.96  # deviations of a Gaussian on either side that hold 95%
RARE = 3  # samples of a mode that others of the same model might all have missed, with a chance of 5%
RADIUS = 3  # standard deviations around a centre that count as its mode: Srivastava et al. 2017


def by_classifier(logits: Tensor, classes: int) -> Tensor:
    """Logits N x (C * classes), of C channels classified each by itself -> int64 N, the mode in 0 .. classes^C - 1.

    The first channel is the most significant digit: Stacked MNIST's digits a, b, c are mode 100 a + 10 b + c.
    Raises EvaluationError if the logits are not of whole channels.
    """
    if logits.dim() != 2 or logits.shape[1] == 0 or logits.shape[1] % classes:
        raise EvaluationError(f"logits of shape {tuple(logits.shape)} are not N x (channels * {classes} classes).")
    digits = logits.unflatten(1, (-1, classes)).argmax(2)
    weights = classes ** torch.arange(digits.shape[1] - 1, -1, -1, device=digits.device)
    return (digits * weights).sum(1)


def by_centres(points: Tensor, centres: Tensor, deviation: float) -> Tensor:
    """Points N x D, centres K x D -> int64 N, the nearest centre if it is within 3 deviations, and -1 otherwise.

    `deviation` is of each coordinate of a mode. A point that is not finite shows no mode.
    """
    distances = torch.cdist(points.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest, mode = distances.min(1)
    return torch.where(nearest <= RADIUS * deviation, mode, -1)


def modes_found(sets: FeatureSets) -> Estimate | None:
    """How many modes at least one sample shows: 0 .. K, and never more than samples.

    Metz et al. 2017, arXiv:1611.02163, Section 3.3.1. The interval is of the number that so many samples show on
    average, from how many of them show each mode: `_shown_interval`.
    """
    if sets.modes is None:
        return None
    counts = histograms(sets).sum(0)
    return Estimate(float((counts > 0).sum()), ends=_shown_interval(counts))


def _shown_interval(counts: Tensor) -> tuple[float, float]:
    """The 95% interval of how many of K modes are shown, from how many samples show each: float64 K.

    A mode that could as well have been missed, or shown, adds at most 1/4 to the variance, and an integer is half a
    step from its neighbours.
    """
    shown, K = int((counts > 0).sum()), len(counts)
    variance = _variance_of_shown(counts) if shown else 0.0
    rare = bool(((counts > 0) & (counts <= RARE)).any())
    below, above = (NORMAL * math.sqrt(max(variance, 0.25 if uncertain else 0.0)) + 0.5
                    for uncertain in (rare, shown < K))  # fmt: skip
    return max(0.0, shown - below), min(float(K), shown + above)


def _variance_of_shown(counts: Tensor) -> float:
    """The variance of the number of modes that n samples show, from their counts: float64 K, not all 0.

    Of A modes that the model has, rates lambda of samples are taken for Gamma of mean n / A and the counts' own
    overdispersion, and A in 1 .. K is such that as many are shown as were.
    """
    n, shown = float(counts.sum()), float((counts > 0).sum())
    A = torch.arange(shown, len(counts) + 1, dtype=torch.float64)
    mean = n / A
    excess = (counts.square().sum() / A - mean.square() - mean).clamp(min=1e-9 * n)
    shape = (mean.square() / excess).clamp(max=1e6)
    # E exp(-s lambda) = (1 + s mean / shape)^-shape
    missed, twice = ((-shape * torch.log1p(s * mean / shape)).exp() for s in (1, 2))
    best = int((A * (1 - missed) - shown).abs().argmin())
    # sum_k P(shown) P(not shown) of Poisson counts, less the part that is due to their sum, which is n
    single = A * mean * missed / (1 + mean / shape)  # A E lambda exp(-lambda)
    return max(0.0, float((A * (missed - twice) - single.square() / n)[best]))


def mode_kl(sets: FeatureSets) -> Estimate | None:
    """KL(q || p) in nats of the samples' modes q from the data's p, samples of no mode left out; >= 0.

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
    """The share of samples, 0 .. 1, that show any mode: within 3 deviations of a centre, by `by_centres`.

    Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761. Exact samples of two-dimensional Gaussians score
    1 - exp(-9/2) = 0.989; where a classifier assigns the modes, it is always 1.
    """
    if sets.modes is None:
        return None
    n = len(sets.modes.assigned)
    return share(float((sets.modes.assigned >= 0).sum()) / n, n)


def histograms(sets: FeatureSets) -> Tensor:
    """float64 G x K: how many samples of each group show each mode; those of no mode are in none."""
    assert sets.modes is not None
    G, K = int(sets.groups.max()) + 1, len(sets.modes.probabilities)
    shown = sets.modes.assigned >= 0
    cells = sets.groups[shown] * K + sets.modes.assigned[shown]
    return torch.bincount(cells, minlength=G * K).view(G, K).double()


def estimate(
    value: Tensor, without: Tensor, pairs: Tensor | None = None, bounds: tuple[float, float] = BOUNDLESS
) -> Estimate | None:
    """None where the figure is not finite; without an interval where one of the others is not."""
    if not value.isfinite():
        return None
    if pairs is not None and not pairs.triu(1).isfinite().all():
        pairs = None
    return Estimate(float(value), without if without.isfinite().all() else None, pairs, bounds=bounds)
