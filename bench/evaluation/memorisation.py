"""Are samples copies of training images? Their nearest training images, and how near held-out images come to theirs.

Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models",
arXiv:2004.05675. scikit-learn and scipy are imported only when they are used: they take seconds.
"""

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.feature_sets import FeatureSets, Nearest
from bench.evaluation.features import full_float32
from bench.evaluation.intervals import Estimate
from bench.evaluation.modes import estimate

BLOCK = 64  # rows of a distance matrix held at once: 15 MB against 60,000 images
PLANE = 16  # dimensions up to which points lie so densely that products are taken in float64
CANDIDATES = 4  # training images whose exact distances are compared
FITTED = 10_000  # training images that the cells are fitted to, at most
LEAST = 20  # samples in a cell that counts: tau = 20 / m in the authors' experiments
ALARM = 3.0  # deviations from what independent samples of the data would give


@full_float32()
def nearest(features: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """float32 N x D, M x D -> each row's distance to the nearest row of `training`, float32 N, and its index, int64 N.

    Four candidates are found by matrix products, and the nearest of them by float64 differences: a copy is at distance
    0 exactly, unless four others are within the products' rounding. Above 16 dimensions these are in float32, and that
    is 1e-3 or so of the spread.
    """
    precise = torch.float64 if training.shape[1] <= PLANE else torch.float32
    mean = training.to(precise).mean(0)
    targets = training.to(precise) - mean  # features far from zero would lose digits
    squares = targets.square().sum(1)
    k = min(CANDIDATES, len(training))
    distances, indices = [], []
    for block in features.split(BLOCK):
        # |x - t|^2 = |x|^2 - 2 x.t + |t|^2, of which the first is the same for all t
        partial = torch.addmm(squares, block.to(precise) - mean, targets.T, alpha=-2)
        found = partial.topk(k, largest=False).indices
        exact, which = (block[:, None].double() - training[found].double()).norm(dim=2).min(1)
        distances.append(exact.float())
        indices.append(found.gather(1, which[:, None]).squeeze(1))
    return torch.cat(distances), torch.cat(indices)


def cells(training: Tensor, k: int, seed: int) -> Tensor:
    """Training features N x D -> the k centroids, float32 k x D, of the cells that C_T is averaged over.

    k-means on at most 10,000 of them, chosen by the seed; the authors take k = 50 for MNIST.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if not 1 <= k <= len(training):
        raise EvaluationError(f"cells={k} is not from 1 to the {len(training)} training images.")
    part = training[np.random.RandomState(seed).permutation(len(training))[:FITTED]]
    with threadpool_limits(1):  # several threads add in another order: the cells would depend on the machine
        model = KMeans(k, n_init=1, random_state=seed).fit(part.float().numpy())
    return torch.from_numpy(model.cluster_centers_).float()


def cell_of(features: Tensor, centroids: Tensor) -> Tensor:
    """Features N x D, centroids K x D -> int64 N, the nearest centroid's index."""
    return torch.cdist(features.float(), centroids).argmin(1)


def c_t(sets: FeatureSets) -> Estimate | None:
    """C_T: are samples nearer to the training images (below 0: copies) or farther (above 0) than held-out images are?

    The mean over cells of the z-score of a Mann-Whitney test of the two sets' distances. It grows with the square root
    of the number of samples. None without held-out images, and where no cell has both some of them and 20 samples.
    Held-out images must be chosen at random: the halves of MNIST's test split in its order are not alike (C_T = -3.7).
    A few copies among many samples that are too far cancel out (Bhattacharjee et al. 2023, arXiv:2302.13181):
    `near_copies` sees those.
    """
    if sets.nearest is None:
        return None
    m, n, U = _mann_whitney(sets.nearest, sets.groups)
    without = _c_t(m.sum(0) - m, n, U.sum(0) - U)[0]
    return estimate(_c_t(m.sum(0), n, U.sum(0))[0], without)


def near_copies(sets: FeatureSets) -> Estimate | None:
    """Samples as near to a training image as the nearest 1% of held-out images, over the number expected; of data, 1.

    Nearness is told within each cell of M_c held-out images, by its max(1, M_c // 100)-th smallest distance, so that
    samples that are merely of few kinds do not count as near. Samples in cells without held-out images are left out.
    None if these are all, and without held-out images.
    """
    if sets.nearest is None:
        return None
    near, rank, M = _near(sets.nearest)
    count = torch.bincount(sets.groups, near.double())
    expected = torch.bincount(sets.groups, (rank / (M + 1))[sets.nearest.generated_cells])
    without = (count.sum() - count) / (expected.sum() - expected)
    return estimate(count.sum() / expected.sum(), without)


def copying_alarm(sets: FeatureSets) -> str | None:
    """A sentence for people if more samples are very near to training images than chance explains; None otherwise.

    Raised by `near_copies`, where independent samples of the data would give such a value less often than a Gaussian
    falls 3 deviations to one side: once in 740 evaluations. C_T stands in the sentence and raises nothing by itself:
    samples that are merely more typical than real images lower it too.
    """
    from scipy.stats import norm

    if sets.nearest is None:
        return None
    near, rank, M = _near(sets.nearest)
    N = torch.bincount(sets.nearest.generated_cells, minlength=len(M))
    if _chance(int(near.sum()), N, rank, M) >= norm.sf(ALARM):
        return None
    m, n, U = _mann_whitney(sets.nearest, sets.groups)
    value, deviation = _c_t(m.sum(0), n, U.sum(0))
    c_t_says = "" if value.isnan() else f"; C_T is {float(value):.1f}, of data 0 ± {1.96 * float(deviation):.1f}"
    return (
        f"possible copies: {int(near.sum()):,} of {len(near):,} samples are as near to a training image as only the "
        f"nearest 1% of held-out images are, where {float((N * rank / (M + 1)).sum()):,.1f} are expected{c_t_says}; "
        f"look at the closest pairs"
    )


def _mann_whitney(found: Nearest, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In each cell: the samples of each group m, G x K; held-out images n, K; and U of each group, G x K; float64.

    U counts the pairs in which the held-out image is nearer than the sample, and equal ones by half.
    """
    G, K = int(groups.max()) + 1, _count(found)
    nearer = torch.zeros(len(found.generated), dtype=torch.float64)
    for cell in range(K):
        inside = found.generated_cells == cell
        held_out = found.held_out[found.held_out_cells == cell].sort().values
        x = found.generated[inside]
        below = torch.searchsorted(held_out, x) + torch.searchsorted(held_out, x, right=True)
        nearer[inside] = below.double() / 2
    where = groups * K + found.generated_cells
    m = torch.bincount(where, minlength=G * K).double().view(G, K)
    U = torch.bincount(where, nearer, minlength=G * K).view(G, K)
    return m, torch.bincount(found.held_out_cells, minlength=K).double(), U


def _c_t(m: Tensor, n: Tensor, U: Tensor) -> tuple[Tensor, Tensor]:
    """C_T and its deviation for samples of the data, from ... x K counts; NaN where no cell counts."""
    # Z_U = (U - m n / 2) / sqrt(m n (m + n + 1) / 12)
    Z = (U - m * n / 2) / (m * n * (m + n + 1) / 12).clamp(min=0.25).sqrt()  # 0.25 with one of each; 0 has no weight
    # C_T = sum_pi P_n(pi) Z_U(pi) / sum_pi P_n(pi), over the cells with Q_m(pi) >= tau
    weight = n / n.sum() * (m >= LEAST)
    total = weight.sum(-1)
    return (weight * Z).sum(-1) / total, weight.square().sum(-1).sqrt() / total


def _near(found: Nearest) -> tuple[Tensor, Tensor, Tensor]:
    """Which samples are near, bool N; held-out images that are, and all held-out images, of each cell, float64 K.

    Equal distances are as near: of held-out images that are also in the training split, all are at 0.
    """
    near, rank = torch.zeros(len(found.generated), dtype=torch.bool), torch.zeros(_count(found), dtype=torch.float64)
    for cell in found.held_out_cells.unique():
        held_out, inside = found.held_out[found.held_out_cells == cell], found.generated_cells == cell
        threshold = held_out.kthvalue(max(1, len(held_out) // 100)).values
        near[inside] = found.generated[inside] <= threshold
        rank[cell] = (held_out <= threshold).sum()
    return near, rank, torch.bincount(found.held_out_cells, minlength=len(rank)).double()


def _count(found: Nearest) -> int:
    return int(torch.cat([found.generated_cells, found.held_out_cells]).max()) + 1


def _chance(count: int, N: Tensor, rank: Tensor, M: Tensor) -> float:
    """The probability that, all cells added, `count` or more of N_c draws are within the rank_c-th smallest of M_c.

    Exact without ties, and near with them: the highest rate of false alarms in simulations was 0.005 in place of
    0.00135, of one cell with 100 held-out images, 6.6 of which on average were also in the training split.
    """
    from scipy.stats import betabinom

    length = int(N.sum()) + 1
    spectrum = np.ones(length // 2 + 1, dtype=np.complex128)
    for n, r, m in zip(N.tolist(), rank.tolist(), M.tolist(), strict=True):
        if m:
            # the distribution function at that order statistic is Beta(r, m + 1 - r), whatever the distribution is
            spectrum *= np.fft.rfft(betabinom.pmf(np.arange(n + 1), n, r, m + 1 - r), length)
    return float(np.fft.irfft(spectrum, length)[count:].sum())
