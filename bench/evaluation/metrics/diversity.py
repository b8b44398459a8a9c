"""Measure how different the samples are from each other, without reference to the real images."""

import math

import torch
from torch import Tensor

from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate, over_groups, over_some_pairs
from bench.evaluation.metrics.modes import estimate, histograms


def vendi(sets: FeatureSets) -> Estimate:
    """Compute the effective number of different samples, 1 .. N, under the cosine kernel on features.

    Friedman & Dieng 2023, arXiv:2210.02410, Definition 3.1; at most D + 1. A feature vector of zeros has no direction:
    all such samples count as equal to each other and orthogonal to every other (the package `vendi-score` drops them,
    and its score can then be below 1).
    """
    x = sets.generated.double()
    norm = x.norm(dim=1, keepdim=True)
    x = torch.cat([x / norm.where(norm > 0, 1), (norm == 0).double()], 1)
    total, n = x.T @ x, len(x)
    parts = [x[sets.groups == g] for g in range(int(sets.groups.max()) + 1)]
    scatters = [part.T @ part for part in parts]

    def rank_without(*out: int) -> float:
        rest = total - torch.stack([scatters[g] for g in out]).sum(0)
        return float(_effective_rank(rest / (n - sum(len(parts[g]) for g in out))))

    without = torch.tensor([rank_without(g) for g in range(len(parts))], dtype=torch.float64)
    pairs = over_some_pairs(rank_without, len(parts), 1)
    return Estimate(float(_effective_rank(total / n)), without, pairs, bounds=(1.0, float(n)))


def inception_score(sets: FeatureSets) -> Estimate | None:
    """Compute exp of the mean of KL(p(y | x) || p(y)), 1 .. number of classes; None without logits.

    Salimans et al. 2016, arXiv:1606.03498, of all samples in one part: torch-fidelity's with `splits=1`. The mean over
    ten parts, which its authors report, is lower, and its spread over the parts is no interval.
    """
    if sets.logits is None:
        return None
    p = sets.logits.double().softmax(1)
    G = int(sets.groups.max()) + 1
    sums = torch.zeros(G, p.shape[1] + 2, dtype=p.dtype)
    entropies = torch.special.entr(p).sum(1, keepdim=True)
    sums.index_add_(0, sets.groups, torch.cat([p, entropies, torch.ones(len(p), 1)], 1))

    def score(sums: Tensor) -> Tensor:
        means = sums[..., :-1] / sums[..., -1:]
        # mean KL(p(y | x) || p(y)) = H(mean of p(y | x)) - mean of H(p(y | x))
        return (torch.special.entr(means[..., :-1]).sum(-1) - means[..., -1]).exp().clamp(min=1)

    return estimate(score(sums.sum(0)), *over_groups(score, sums), bounds=(1.0, float(p.shape[1])))


def class_entropy(sets: FeatureSets) -> Estimate | None:
    """Compute the entropy, in nats, of the modes that the samples show: 0 for one mode, ln K for K modes evenly.

    Samples of no mode are excluded; None where all are, and where the data has no modes.
    """
    if sets.modes is None:
        return None

    def entropy(counts: Tensor) -> Tensor:
        return torch.special.entr(counts / counts.sum(-1, keepdim=True)).sum(-1)

    counts = histograms(sets)
    return estimate(entropy(counts.sum(0)), *over_groups(entropy, counts), bounds=(0.0, math.log(counts.shape[1])))


def _effective_rank(rho: Tensor) -> Tensor:
    """Return exp of the entropy of the eigenvalues of X^T X / n: those of K / n = X X^T / n that are not 0."""
    # Friedman & Dieng 2023, Definition 3.1: VS = exp(-sum_i lambda_i log lambda_i)
    return torch.special.entr(torch.linalg.eigvalsh(rho).clamp(min=0)).sum().exp()
