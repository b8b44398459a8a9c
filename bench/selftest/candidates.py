"""Candidate measures of coverage and quality for the report card: the evaluator's, and rejected ones.

Each follows its paper's formula, in float64, on all distances at once: samples Y, reference X.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.evaluation.metrics.clipped import good_share, relative_filling
from bench.evaluation.metrics.fld import fitted_log_variances, log_likelihoods
from bench.evaluation.metrics.memorisation import cell_of
from bench.selftest.comparison import Comparison, cubic_kernel, mean_off_diagonal, shares

K_RECALL, K_COVERAGE = 3, 5  # neighbours of precision and recall, and of density and coverage: the evaluator's
K_PROBABLE, STRETCH = 4, 1.2  # of probabilistic precision and recall, as its authors set them
SIGNIFICANT = 1.96  # deviations from which on two bins differ


def precision(c: Comparison, k: int = K_RECALL) -> float:
    """Kynkäänniemi et al. 2019, Eq. 2: the share of samples inside a reference ball."""
    return float((c.across <= c.truth.nearest[:, k - 1]).any(1).double().mean())


def recall(c: Comparison, k: int = K_RECALL) -> float:
    """Kynkäänniemi et al. 2019, Eq. 2: the share of the reference inside a sample's ball."""
    return float((c.across <= c.nearest[:, k - 1, None]).any(0).double().mean())


def density(c: Comparison) -> float:
    """Naeem et al. 2020, Eq. 4."""
    return float((c.across < c.truth.nearest[:, K_COVERAGE - 1]).double().sum(1).mean() / K_COVERAGE)


def coverage(c: Comparison) -> float:
    """Naeem et al. 2020, Eq. 5: the share of reference balls with a sample inside."""
    return float((c.across < c.truth.nearest[:, K_COVERAGE - 1]).any(0).double().mean())


def symmetric_recall(c: Comparison) -> float:
    """Khayatkhoei & AbdAlmageed 2023 (arXiv:2306.09618): the smaller of recall and coverage, for the same k."""
    return min(recall(c, K_COVERAGE), coverage(c))


def symmetric_precision(c: Comparison) -> float:
    """Return the smaller of precision and the share of samples' balls with a reference image inside, for the same k."""
    reached = float((c.across < c.nearest[:, K_COVERAGE - 1, None]).any(1).double().mean())
    return min(precision(c, K_COVERAGE), reached)


def probable(distances: Tensor, radii: Tensor) -> float:
    """Park & Kim 2023 (arXiv:2309.01590), Eq. 8 to 10: the mean over rows of 1 - prod min(1, d / (1.2 mean radius))."""
    relative = (distances / (STRETCH * radii.mean())).clamp(max=1)
    return float(1 - relative.prod(1).mean())


def probable_precision(c: Comparison) -> float:
    return probable(c.across, c.truth.nearest[:, K_PROBABLE - 1])


def probable_recall(c: Comparison) -> float:
    return probable(c.across.T, c.nearest[:, K_PROBABLE - 1])


def clipped_density(c: Comparison, k: int = K_COVERAGE) -> float:
    """Salvy et al. 2025 (arXiv:2507.01761): the number of reference balls around a sample, at most k, over k.

    Radii are clipped to their median. The result is relative to the reference's own figure, and at most 1.
    """
    radii = c.truth.nearest[:, k - 1]
    radii = radii.clamp(max=float(radii.quantile(0.5)))
    balls, own_balls = ((d <= radii).double().sum(1) for d in (c.across, c.truth.distances))
    return min(1.0, float(relative_filling(balls, own_balls, k).mean()))


def clipped_coverage(c: Comparison, k: int = K_COVERAGE) -> float:
    """Salvy et al. 2025 (arXiv:2507.01761): how full reference balls are, as the share of good samples, 0 .. 1."""
    return good_share((c.across < c.truth.nearest[:, k - 1]).double().sum(0), len(c.features), k)


def clipped_ratio(c: Comparison) -> float:
    """Return clipped coverage over clipped density, at most 1: the coverage of the good samples."""
    good = clipped_density(c)
    return min(1.0, clipped_coverage(c) / good) if good else 0.0


def overlap(p: Tensor, q: Tensor) -> float:
    """Return 1 - total variation: the mass that two histograms have in common."""
    return float(torch.minimum(p, q).sum())


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """Return the Jensen-Shannon divergence in nats, 0 .. ln 2."""
    middle = (p + q) / 2
    return float(sum(torch.special.xlogy(part, part / middle.where(middle > 0, 1)).sum() for part in (p, q)) / 2)


def same_bins(c: Comparison) -> float:
    """Richardson & Weiss 2018 (arXiv:1805.12462): 1 - NDB / B, the share of bins without a significant difference."""
    p, q, n = c.truth.bin_shares, c.bin_shares, len(c.features)
    pooled = (p + q) / 2
    error = (pooled * (1 - pooled) * 2 / n).sqrt()
    return float(((p - q).abs() <= SIGNIFICANT * error).double().mean())


def precise_overlap(c: Comparison) -> float:
    """Return the overlap of bins, of the samples inside a reference ball only."""
    good = (c.across <= c.truth.nearest[:, K_RECALL - 1]).any(1)
    if not good.any():
        return 0.0
    members = cell_of(c.features[good], c.truth.centroids)
    return overlap(c.truth.bin_shares, shares(members, len(c.truth.centroids)))


def mode_kl(c: Comparison) -> float:
    """Metz et al. 2017: KL of the samples' classes from the data's, in nats."""
    p, q = c.truth.class_shares, c.class_shares
    return float(torch.special.xlogy(q, q / p.where(q > 0, 1)).sum())


def vendi(c: Comparison) -> float:
    """Friedman & Dieng 2023, Definition 3.1, cosine kernel on features."""
    x = torch.nn.functional.normalize(c.features, dim=1)
    return float(torch.special.entr(torch.linalg.eigvalsh(x.T @ x / len(x)).clamp(min=0)).sum().exp())


def fid(c: Comparison) -> float:
    """Heusel et al. 2017."""
    mean, cov = c.features.mean(0), c.features.T.cov()
    values, vectors = torch.linalg.eigh(c.truth.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov @ root).clamp(min=0).sqrt().sum()
    return float((mean - c.truth.mean).square().sum() + (cov + c.truth.covariance).trace() - 2 * cross)


def kid(c: Comparison) -> float:
    """Bińkowski et al. 2018: unbiased squared MMD under (x.y / D + 1)^3, of all samples at once, times 1000."""
    cross = cubic_kernel(c.truth.features, c.features).mean()
    return float(1000 * (c.truth.kernel_mean + mean_off_diagonal(c.features) - 2 * cross))


def fld(c: Comparison) -> float:
    """Jiralerspong et al. 2023 (arXiv:2302.04440): -100 / D times the held-out reference's mean log likelihood.

    Gaussians at the samples are fitted to every other reference image and judged by the rest, as in the authors' code
    (github.com/marcojira/fld). The likelihood of real samples is a constant, and is not subtracted.
    """
    deviation = c.truth.covariance.diagonal().sqrt()
    x, y = ((part - c.truth.mean) / deviation.where(deviation > 0, 1) for part in (c.truth.features, c.features))
    return float(-100 / x.shape[1] * log_likelihoods(x[1::2], y, fitted_log_variances(x[::2], y)).mean())


@dataclass(frozen=True)
class Candidate:
    """A measure, whether higher is better, and whether it needs the data's classes."""

    name: str
    compute: Callable[[Comparison], float]
    higher: bool = True
    classes: bool = False


CANDIDATES = (
    Candidate("recall", recall),
    Candidate("coverage", coverage),
    Candidate("symmetric recall", symmetric_recall),
    Candidate("probabilistic recall", probable_recall),
    Candidate("clipped coverage, k = 5", clipped_coverage),
    Candidate("clipped coverage, k = 20", lambda c: clipped_coverage(c, 20)),
    Candidate("clipped coverage, k = 50", lambda c: clipped_coverage(c, 50)),
    Candidate("clipped coverage / density", clipped_ratio),
    Candidate("bins alike (NDB)", same_bins),
    Candidate("bins' JSD", lambda c: jensen_shannon(c.truth.bin_shares, c.bin_shares), higher=False),
    Candidate("bins' overlap", lambda c: overlap(c.truth.bin_shares, c.bin_shares)),
    Candidate("bins' overlap, precise", precise_overlap),
    Candidate("classes' overlap", lambda c: overlap(c.truth.class_shares, c.class_shares), classes=True),
    Candidate("classes' KL (mode KL)", mode_kl, higher=False, classes=True),
    Candidate("Vendi", vendi),
    Candidate("precision", precision),
    Candidate("density", density),
    Candidate("symmetric precision", symmetric_precision),
    Candidate("probabilistic precision", probable_precision),
    Candidate("clipped density, k = 5", clipped_density),
    Candidate("clipped density, k = 20", lambda c: clipped_density(c, 20)),
    Candidate("clipped density, k = 50", lambda c: clipped_density(c, 50)),
    Candidate("FID", fid, higher=False),
    Candidate("KID", kid, higher=False),
    Candidate("FLD", fld, higher=False),
)
