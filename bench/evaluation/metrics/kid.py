"""KID, a squared distance under a polynomial kernel."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate, jackknife
from bench.evaluation.protocol import GROUPS

ENTRIES = 2**22  # values of the kernel held at once, 32 MiB


def kid(sets: FeatureSets) -> Estimate:
    """Squared MMD under the kernel (x.y / D + 1)^3: Bińkowski et al. 2018 (arXiv:1801.01401), Section 4.

    The value is the mean of unbiased estimates on random subsets, so it is about 0 and as often below as above for
    equal distributions. The subsets are those of torch-fidelity, whose figure it is; here in float64 and without the
    powers by logarithms that take most of its time. Its interval is over samples and over reference images, of the
    unbiased estimate on all of both, with what the choice of subsets adds.
    """
    values = _subsets(sets)
    choice = float(values.var(correction=0)) / len(values)
    # torch-fidelity's estimate is the mean of few subsets, and the sets' own chance is that of all of them together
    return Estimate(float(values.mean()), extra=(_variance(sets) + choice, GROUPS - 1.0))


def _subsets(sets: FeatureSets) -> Tensor:
    """Compute the unbiased squared MMD of each pair of subsets, float64."""
    y, x, m = sets.generated.double(), sets.reference.double(), sets.protocol.kid_subset_size
    random = np.random.RandomState(sets.protocol.seed)  # torch-fidelity's stream, so that the figure is its own
    values = []
    for _ in range(sets.protocol.kid_subsets):
        a, b = (part[torch.from_numpy(random.choice(len(part), m, replace=False))] for part in (y, x))
        inner = sum(_total(part, part) - _diagonal(part).sum() for part in (a, b))
        # Eq. 4, both sets of m
        values.append(inner / (m * (m - 1)) - 2 * _total(a, b) / m**2)
    return torch.stack(values)


def _total(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([block.sum() for block in _kernel(a, b)]).sum()


def _variance(sets: FeatureSets) -> float:
    """Estimate the variance of the unbiased squared MMD of all samples and reference images, over draws of both sets.

    By a jackknife of either set, each corrected for its bias. Both count the part that is due to pairs of a sample and
    a reference image, so it is subtracted once.
    """
    y, sample_groups, n = sets.generated.double(), sets.groups, len(sets.generated)
    reference_groups, inner = _reference_pairs(sets.reference)
    x, N = sets.reference.double(), len(sets.reference)
    members = [torch.nn.functional.one_hot(labels).double() for labels in (sample_groups, reference_groups)]
    cross = members[0].T @ torch.cat([block @ members[1] for block in _kernel(y, x)])  # G x G', sums of k(y, x)
    pairs = _within(y, members[0])
    either = [_jackknife(pairs, cross.sum(1), sample_groups.bincount().double(), N),
              _jackknife(inner, cross.sum(0), reference_groups.bincount().double(), n)]  # fmt: skip
    mixed = cross - cross.mean(0) - cross.mean(1, keepdim=True) + cross.mean()
    # Var(2 / (n N) sum_ij k(y_i, x_j)) of the part that neither set has alone
    common = 4 * float(mixed.square().sum()) / (n * N) ** 2
    return max(max(either), sum(either) - common)


def _jackknife(pairs: Tensor, cross: Tensor, sizes: Tensor, other_size: int) -> float:
    """Estimate the variance of the squared MMD over one set, from sums of k within it and with the other set.

    pairs: G x G, without equal points. The other set's own part is the same without any group, and omitted.
    """

    def mmd(inner: Tensor, between: Tensor, n: Tensor) -> Tensor:
        # Eq. 4: sum_{i != j} k(x_i, x_j) / (m (m - 1)) + the same of y - 2 sum_{i, j} k(x_i, y_j) / (m n)
        return inner / (n * (n - 1)) - 2 * between / (n * other_size)

    rest, total = sizes.sum() - sizes, pairs.sum()
    rows, diagonal = pairs.sum(1), pairs.diagonal()
    without = mmd(total - 2 * rows + diagonal, cross.sum() - cross, rest)
    two = rows[:, None] + rows[None]
    within = total - 2 * two + diagonal[:, None] + diagonal[None] + 2 * pairs
    without_pairs = mmd(within, cross.sum() - cross[:, None] - cross[None], rest[:, None] - sizes[None])
    return jackknife(without, float(mmd(total, cross.sum(), sizes.sum())), without_pairs)


@lru_cache(maxsize=1)  # all rows of a table have the same
def _reference_pairs(reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return groups of the reference, whose order is random, and the sums of the kernel within and between them."""
    labels = torch.arange(len(reference)) % min(GROUPS, len(reference))
    return labels, _within(reference.double(), torch.nn.functional.one_hot(labels).double())


def _within(a: Tensor, member: Tensor) -> Tensor:
    """Sum the kernel over pairs of different points, by their groups: N x D, N x G -> G x G."""
    return member.T @ torch.cat([block @ member for block in _kernel(a, a)]) - (member.T @ _diagonal(a)).diag()


def _kernel(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Yield (a.b / D + 1)^3 of N x D and M x D in blocks of rows; each block overwrites the previous one."""
    unit = torch.ones((), dtype=a.dtype)  # added within the product
    rows = max(1, ENTRIES // len(b))
    # new memory for each block, with results allocated in between, would add up to the whole matrix: glibc finds a
    # freed block too small for the next one's alignment
    room = a.new_empty(min(rows, len(a)), len(b))
    for part in (a / a.shape[1]).split(rows):
        yield torch.addmm(unit, part, b.T, out=room[: len(part)]).pow_(3)


def _diagonal(a: Tensor) -> Tensor:
    return (a.square().sum(1) / a.shape[1] + 1) ** 3
