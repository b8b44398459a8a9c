"""How different the samples are from each other, whatever the real images are like."""

import torch
from torch import Tensor

from bench.evaluation.feature_sets import FeatureSets
from bench.evaluation.intervals import Estimate
from bench.evaluation.modes import estimate, histograms

SPLITS = 10  # of the Inception score
FLOOR = -700.0  # exp of less than about -745 is 0 in float64, and torch-fidelity multiplies 0 by its logarithm


def vendi(sets: FeatureSets) -> Estimate:
    """The effective number of different samples, 1 .. N, under the cosine kernel on features.

    Friedman & Dieng 2023, arXiv:2210.02410, Definition 3.1; at most D + 1. A feature vector of zeros has no direction:
    all such samples count as equal to each other and orthogonal to every other (the package `vendi-score` drops them,
    and its score can then be below 1).
    """
    x = sets.generated.double()
    norm = x.norm(dim=1, keepdim=True)
    x = torch.cat([x / norm.where(norm > 0, 1), (norm == 0).double()], 1)
    total, n = x.T @ x, len(x)
    without = []
    for g in range(int(sets.groups.max()) + 1):
        part = x[sets.groups == g]
        without.append(_effective_rank((total - part.T @ part) / (n - len(part))))
    return Estimate(float(_effective_rank(total / n)), torch.stack(without))


def inception_score(sets: FeatureSets) -> Estimate | None:
    """exp of the mean of KL(p(y | x) || p(y)), 1 .. number of classes, by torch-fidelity; None without logits.

    Salimans et al. 2016, arXiv:1606.03498, Section 4: the mean over 10 parts of the samples, shuffled by the
    protocol's seed. Its interval is that of the score of all samples in one part.
    """
    from torch_fidelity.metric_isc import isc_features_to_metric

    if sets.logits is None:
        return None
    logits = sets.logits.double()
    logits = (logits - logits.amax(1, keepdim=True)).clamp(min=FLOOR)  # the same probabilities to 1e-304
    score = isc_features_to_metric(logits, splits=min(SPLITS, len(logits)), rng_seed=sets.protocol.seed)

    p = logits.softmax(1)
    G = int(sets.groups.max()) + 1
    size = torch.bincount(sets.groups).double()
    marginal = torch.zeros(G, p.shape[1], dtype=p.dtype).index_add(0, sets.groups, p)
    conditional = torch.zeros(G, dtype=p.dtype).index_add(0, sets.groups, torch.special.entr(p).sum(1))
    left = len(p) - size
    # mean KL(p(y | x) || p(y)) = H(mean of p(y | x)) - mean of H(p(y | x))
    entropy = torch.special.entr((marginal.sum(0) - marginal) / left[:, None]).sum(1)
    without = (entropy - (conditional.sum() - conditional) / left).exp()
    return Estimate(score["inception_score_mean"], without)


def class_entropy(sets: FeatureSets) -> Estimate | None:
    """Entropy, in nats, of the modes that the samples show: 0 for one mode, ln K for K modes evenly.

    Samples of no mode are left out; None where all are, and where the data has no modes.
    """
    if sets.modes is None:
        return None

    def entropy(counts: Tensor) -> Tensor:
        return torch.special.entr(counts / counts.sum(-1, keepdim=True)).sum(-1)

    counts = histograms(sets)
    total = counts.sum(0)
    return estimate(entropy(total), entropy(total - counts))


def _effective_rank(rho: Tensor) -> Tensor:
    """exp of the entropy of the eigenvalues of X^T X / n, which are those of K / n = X X^T / n that are not 0."""
    # Friedman & Dieng 2023, Definition 3.1: VS = exp(-sum_i lambda_i log lambda_i)
    return torch.special.entr(torch.linalg.eigvalsh(rho).clamp(min=0)).sum().exp()
