"""Modes of the data: which one a sample shows, how many are shown, and how evenly.

A metric is None where a protocol has no modes, or where no sample shows one and the figure would have no finite value.
"""

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.feature_sets import FeatureSets
from bench.evaluation.intervals import Estimate

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

    Metz et al. 2017, arXiv:1611.02163, Section 3.3.1.
    """
    if sets.modes is None:
        return None
    counts = histograms(sets)
    total = counts.sum(0)
    return Estimate(float((total > 0).sum()), (total - counts > 0).sum(1).double())


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
    total = counts.sum(0)
    return estimate(kl(total), kl(total - counts))


def high_quality(sets: FeatureSets) -> Estimate | None:
    """The share of samples, 0 .. 1, that show any mode: within 3 deviations of a centre, by `by_centres`.

    Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761. Exact samples of two-dimensional Gaussians score
    1 - exp(-9/2) = 0.989; where a classifier assigns the modes, it is always 1.
    """
    if sets.modes is None:
        return None
    size = torch.bincount(sets.groups).double()
    shown = histograms(sets).sum(1)
    n = len(sets.groups)
    return Estimate(float(shown.sum() / n), (shown.sum() - shown) / (n - size))


def histograms(sets: FeatureSets) -> Tensor:
    """float64 G x K: how many samples of each group show each mode; those of no mode are in none."""
    assert sets.modes is not None
    G, K = int(sets.groups.max()) + 1, len(sets.modes.probabilities)
    shown = sets.modes.assigned >= 0
    cells = sets.groups[shown] * K + sets.modes.assigned[shown]
    return torch.bincount(cells, minlength=G * K).view(G, K).double()


def estimate(value: Tensor, without: Tensor) -> Estimate | None:
    """None where the figure is not finite; without an interval where one of the others is not."""
    if not value.isfinite():
        return None
    return Estimate(float(value), without if without.isfinite().all() else None)
