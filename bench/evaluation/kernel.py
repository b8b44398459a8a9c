"""KID, a squared distance under a polynomial kernel."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.feature_sets import FeatureSets
from bench.evaluation.intervals import Estimate

ENTRIES = 2**22  # values of the kernel held at once, 32 MiB


def kid(sets: FeatureSets) -> Estimate:
    """Squared MMD under the kernel (x.y / D + 1)^3: Bińkowski et al. 2018 (arXiv:1801.01401), Section 4.

    The value is the mean of unbiased estimates on random subsets, so it is about 0 and as often below as above for
    equal distributions. The subsets are those of torch-fidelity, whose figure it is; here in float64 and without the
    powers by logarithms that take most of its time. `without` are unbiased estimates too, but each on all samples that
    are left and the whole reference, and then spread out by what the choice of subsets adds. Two estimators of one
    quantity: only the spread of `without` is meant, not its level.
    """
    values = _subsets(sets)
    without = _without(sets)
    centre, G = without.mean(), len(without)
    variance = (G - 1) / G * (without - centre).square().sum()  # Kott 2001, Eq. 1, as in Estimate
    noise = values.var(correction=0) / len(values)  # subsets are drawn independently
    wider = (1 + noise / variance.clamp(min=1e-30)).sqrt()  # constant samples have no variance
    return Estimate(float(values.mean()), centre + wider * (without - centre))


def _subsets(sets: FeatureSets) -> Tensor:
    """The unbiased squared MMD of each pair of subsets, float64."""
    y, x, m = sets.generated.double(), sets.reference.double(), sets.protocol.kid_subset_size
    random = np.random.RandomState(sets.protocol.seed)
    values = []
    for _ in range(sets.protocol.kid_subsets):
        a, b = (part[torch.from_numpy(random.choice(len(part), m, replace=False))] for part in (y, x))
        inner = sum(_total(part, part) - _diagonal(part).sum() for part in (a, b))
        # Eq. 4, both sets of m
        values.append(inner / (m * (m - 1)) - 2 * _total(a, b) / m**2)
    return torch.stack(values)


def _total(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([block.sum() for block in _kernel(a, b)]).sum()


def _without(sets: FeatureSets) -> Tensor:
    """Float64 G: the unbiased squared MMD of the samples but group g and the reference."""
    y, x, groups = sets.generated.double(), sets.reference.double(), sets.groups
    M, sizes = len(x), groups.bincount()
    member = torch.nn.functional.one_hot(groups).double()  # N x G

    reference = _total(x, x) - _diagonal(x).sum()
    cross = member.T @ torch.cat([block.sum(1) for block in _kernel(y, x)])  # G
    pairs = member.T @ torch.cat([block @ member for block in _kernel(y, y)])  # G x G, a group with a group
    diagonal = member.T @ _diagonal(y)  # G

    left = len(y) - sizes
    same = pairs.sum() - 2 * pairs.sum(1) + pairs.diagonal() - (diagonal.sum() - diagonal)
    # Eq. 4: sum_{i != j} k(x_i, x_j) / (m (m - 1)) + the same of y - 2 sum_{i, j} k(x_i, y_j) / (m n)
    return reference / (M * (M - 1)) + same / (left * (left - 1)) - 2 * (cross.sum() - cross) / (left * M)


def _kernel(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """(a.b / D + 1)^3 of N x D and M x D, some rows at a time, each block in the place of the one before."""
    one = torch.ones((), dtype=a.dtype)  # added within the product
    rows = max(1, ENTRIES // len(b))
    # new memory for each block, with what is made of it kept in between, would add up to the whole matrix: glibc finds
    # a freed block too small for the next one's alignment
    room = a.new_empty(min(rows, len(a)), len(b))
    for part in (a / a.shape[1]).split(rows):
        yield torch.addmm(one, part, b.T, out=room[: len(part)]).pow_(3)


def _diagonal(a: Tensor) -> Tensor:
    return (a.square().sum(1) / a.shape[1] + 1) ** 3
