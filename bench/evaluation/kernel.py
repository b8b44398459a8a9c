"""KID, a squared distance under a polynomial kernel."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.evaluation.feature_sets import FeatureSets
from bench.evaluation.intervals import Estimate

ENTRIES = 2**22  # values of the kernel held at once, 32 MiB


def kid(sets: FeatureSets) -> Estimate:
    """Squared MMD under the kernel (x.y / D + 1)^3: Bińkowski et al. 2018 (arXiv:1801.01401), Section 4.

    The value is the mean of unbiased estimates on random subsets, by torch-fidelity, so it is about 0 and as often
    below as above for equal distributions. `without` are unbiased estimates too, but each on all samples that are left
    and the whole reference, and then spread out by what the choice of subsets adds. Two estimators of one quantity:
    only the spread of `without` is meant, not its level.
    """
    from torch_fidelity.metric_kid import kid_features_to_metric

    result = kid_features_to_metric(
        sets.generated,
        sets.reference,
        kid_subsets=sets.protocol.kid_subsets,
        kid_subset_size=sets.protocol.kid_subset_size,
        rng_seed=sets.protocol.seed,
        verbose=False,
    )
    without = _without(sets)
    centre, G = without.mean(), len(without)
    variance = (G - 1) / G * (without - centre).square().sum()  # Kott 2001, Eq. 1, as in Estimate
    noise = result["kernel_inception_distance_std"] ** 2 / sets.protocol.kid_subsets  # subsets are drawn independently
    wider = (1 + noise / variance.clamp(min=1e-30)).sqrt()  # constant samples have no variance
    return Estimate(float(result["kernel_inception_distance_mean"]), centre + wider * (without - centre))


def _without(sets: FeatureSets) -> Tensor:
    """Float64 G: the unbiased squared MMD of the samples but group g and the reference."""
    y, x, groups = sets.generated.double(), sets.reference.double(), sets.groups
    M, sizes = len(x), groups.bincount()
    member = torch.nn.functional.one_hot(groups).double()  # N x G

    reference = sum(block.sum() for block in _kernel(x, x)) - _diagonal(x).sum()
    cross = member.T @ torch.cat([block.sum(1) for block in _kernel(y, x)])  # G
    pairs = member.T @ torch.cat([block @ member for block in _kernel(y, y)])  # G x G, a group with a group
    diagonal = member.T @ _diagonal(y)  # G

    left = len(y) - sizes
    same = pairs.sum() - 2 * pairs.sum(1) + pairs.diagonal() - (diagonal.sum() - diagonal)
    # Eq. 4: sum_{i != j} k(x_i, x_j) / (m (m - 1)) + the same of y - 2 sum_{i, j} k(x_i, y_j) / (m n)
    return reference / (M * (M - 1)) + same / (left * (left - 1)) - 2 * (cross.sum() - cross) / (left * M)


def _kernel(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """(a.b / D + 1)^3 of N x D and M x D, some rows at a time."""
    for part in a.split(max(1, ENTRIES // len(b))):
        yield (part @ b.T).div_(a.shape[1]).add_(1).pow_(3)


def _diagonal(a: Tensor) -> Tensor:
    return (a.square().sum(1) / a.shape[1] + 1) ** 3
