"""Detect copies of training images: compare the samples' distances to them with those of held-out images.

Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models",
arXiv:2004.05675. scikit-learn and scipy are imported only when they are used: they take seconds.
"""

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import full_float32
from bench.evaluation.keys import key
from bench.evaluation.metrics.feature_sets import FeatureSets, Nearest
from bench.evaluation.metrics.intervals import Estimate, groups

BLOCK = 64  # rows of a distance matrix held at once: 15 MB against 60,000 images
PLANE = 16  # dimensions up to which points lie so densely that products are taken in float64
CANDIDATES = 4  # training images whose exact distances are compared
FITTED = 10_000  # training images that the cells are fitted to, at most
LEAST = 20  # samples in a cell that counts: tau = 20 / m in the authors' experiments
# chance that samples of the data raise an alarm in one of four tests: here, of equal bytes, and two of aligned pixels;
# of all four together no more than that a Gaussian falls 3 deviations to one side
LEVEL = 0.00135 / 4


@full_float32()
def nearest(features: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """Find each row's nearest row of `training`: float32 N x D, M x D -> distances, float32 N, and indices, int64 N.

    Matrix products give four candidates, and float64 differences the nearest of them: a copy has distance 0 exactly,
    unless four others are within the products' rounding. Above 16 dimensions the products are in float32, whose
    rounding is about 1e-3 of the spread.
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
        candidates = partial.topk(k, largest=False).indices
        exact, which = (block[:, None].double() - training[candidates].double()).norm(dim=2).min(1)
        distances.append(exact.float())
        indices.append(candidates.gather(1, which[:, None]).squeeze(1))
    return torch.cat(distances), torch.cat(indices)


def cells(training: Tensor, k: int, seed: int) -> Tensor:
    """Fit the k centroids, float32 k x D, of the cells that C_T is averaged over, to training features N x D.

    k-means on at most 10,000 of them, chosen by the seed; the authors use k = 50 for MNIST.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if not 1 <= k <= len(training):
        message = f"cells={k} must lie between 1 and the {len(training)} training images."
        raise EvaluationError(message, key="cells", value=k)
    part = training[np.random.RandomState(key("cells", seed)).permutation(len(training))[:FITTED]]
    with threadpool_limits(1):  # several threads add in another order: the cells would depend on the machine
        model = KMeans(k, n_init=1, random_state=key("cells", seed)).fit(part.float().numpy())
    return torch.from_numpy(model.cluster_centers_).float()


def cell_of(features: Tensor, centroids: Tensor) -> Tensor:
    """Return the index of the nearest centroid, int64 N, of features N x D and centroids K x D."""
    return torch.cdist(features.float(), centroids).argmin(1)


def c_t(sets: FeatureSets) -> Estimate | None:
    """Compute C_T: below 0, samples are nearer to training images than held-out images are (copies); above 0, farther.

    The mean over cells of the z-score of a Mann-Whitney test of the two sets' distances. It grows with the square root
    of the number of samples. None without held-out images, and where no cell has both some of them and 20 samples.
    Held-out images must be chosen at random: the halves of MNIST's test split in its order are not alike (C_T = -3.7).
    A few copies among many samples that are too far cancel out (Bhattacharjee et al. 2023, arXiv:2302.13181):
    `near_copies` sees those.
    """
    if sets.nearest is None:
        return None
    m, n, U = _mann_whitney(sets.nearest, sets.groups)
    value, without = _c_t(m.sum(0), n, U.sum(0))[0], _c_t(m.sum(0) - m, n, U.sum(0) - U)[0]
    if value.isnan():
        return None
    if without.isnan().any():
        return Estimate(float(value))
    return Estimate(float(value), without, extra=_over_held_out(sets.nearest, sets.protocol.seed))


def near_copies(sets: FeatureSets) -> Estimate | None:
    """Count samples as near to a training image as the nearest 1% of held-out images, over the number expected.

    1 for samples of the data. The threshold of each cell with M_c held-out images is its max(1, M_c // 100)-th smallest
    distance, so that samples that are merely of few kinds do not count as near. Samples in cells without held-out
    images are excluded. None if these are all, and without held-out images.
    """
    if sets.nearest is None:
        return None
    return excess(sets.nearest)


def excess(distances: Nearest) -> Estimate | None:
    """Compute `near_copies` of any distances, with an interval over samples and held-out images, valid for few counts.

    A cell's threshold is the r_c-th smallest of M_c distances: a sample of the data is within it with a probability
    that is itself nearly Gamma(r_c) / (M_c + 1). How many of N_c samples are within it is then negative binomial. The
    sum over cells is taken to be so too, with an r that gives its variance. The interval inverts this distribution as
    Clopper and Pearson invert the binomial one.
    """
    from scipy.stats import beta

    near, rank, M = _near(distances)
    N = torch.bincount(distances.generated_cells, minlength=len(M))
    count, expectations = int(near.sum()), N * rank / (M + 1)
    expected = float(expectations.sum())
    if expected == 0:
        return None
    # a sum of negative binomials of means theta a_c has the variance sum_c theta a_c + (theta a_c)^2 / r_c
    r = expected**2 / float((expectations.square() / rank.clamp(min=1)).sum())
    shares = (beta.ppf(0.025, count, r) if count else 0.0, beta.ppf(0.975, count + 1, r))
    low, high = (float(share / (1 - share)) * r / expected for share in shares)
    return Estimate(count / expected, ends=(low, high))


def copying_alarm(sets: FeatureSets) -> str | None:
    """Return a sentence if more samples are very near to training images than chance explains; None otherwise.

    The alarm depends on `near_copies`: independent samples of the data give such a value with a probability below
    LEVEL. The sentence gives C_T too, which raises no alarm by itself: samples that are merely more typical than real
    images lower it as well.
    """
    if sets.nearest is None:
        return None
    if near_chance(sets.nearest) >= LEVEL:
        return None
    near, rank, M = _near(sets.nearest)
    N = torch.bincount(sets.nearest.generated_cells, minlength=len(M))
    m, n, U = _mann_whitney(sets.nearest, sets.groups)
    value, deviation = _c_t(m.sum(0), n, U.sum(0))
    c_t_says = "" if value.isnan() else f"; C_T is {float(value):.1f}, of data 0 ± {1.96 * float(deviation):.1f}"
    return (
        f"possible copies: {int(near.sum()):,} of {len(near):,} samples are as near to a training image as only the "
        f"nearest 1% of held-out images are, where {float((N * rank / (M + 1)).sum()):,.1f} are expected{c_t_says}; "
        f"look at the closest pairs"
    )


def near_chance(distances: Nearest) -> float:
    """Return the probability that at least as many samples of the data are near (the nearest 1% of held-out images)."""
    near, rank, M = _near(distances)
    return _chance(int(near.sum()), torch.bincount(distances.generated_cells, minlength=len(M)), rank, M)


def _mann_whitney(distances: Nearest, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count in each cell the samples of each group m, G x K; held-out images n, K; and U of each group, G x K; float64.

    U counts the pairs in which the held-out image is nearer than the sample, and equal ones by half.
    """
    G, K = int(groups.max()) + 1, _count(distances)
    nearer = torch.zeros(len(distances.generated), dtype=torch.float64)
    for cell in range(K):
        inside = distances.generated_cells == cell
        held_out = distances.held_out[distances.held_out_cells == cell].sort().values
        x = distances.generated[inside]
        below = torch.searchsorted(held_out, x) + torch.searchsorted(held_out, x, right=True)
        nearer[inside] = below.double() / 2
    where = groups * K + distances.generated_cells
    m = torch.bincount(where, minlength=G * K).double().view(G, K)
    U = torch.bincount(where, nearer, minlength=G * K).view(G, K)
    return m, torch.bincount(distances.held_out_cells, minlength=K).double(), U


def _over_held_out(distances: Nearest, seed: int) -> tuple[float, float] | None:
    """Estimate C_T's variance over draws of the held-out images, the samples fixed, and its degrees of freedom.

    By the jackknife that deletes groups of held-out images; None where a figure without a group has no value.
    """
    swapped = Nearest(distances.held_out, distances.held_out_cells, distances.generated, distances.generated_cells)
    n, m, V = _mann_whitney(swapped, groups(len(distances.held_out), seed))
    rest = n.sum(0) - n
    values = _c_t(m, rest, m * rest - (V.sum(0) - V))[0]  # of m n pairs, V are those that U does not count
    G = len(values)
    if values.isnan().any() or G < 2:
        return None
    # Kott 2001, Eq. 1, as in Estimate
    return float((G - 1) / G * (values - values.mean()).square().sum()), G - 1


def _c_t(m: Tensor, n: Tensor, U: Tensor) -> tuple[Tensor, Tensor]:
    """Compute C_T and its deviation for samples of the data, from ... x K counts; NaN where no cell counts."""
    # Z_U = (U - m n / 2) / sqrt(m n (m + n + 1) / 12)
    Z = (U - m * n / 2) / (m * n * (m + n + 1) / 12).clamp(min=0.25).sqrt()  # 0.25 with one of each; 0 has no weight
    # C_T = sum_pi P_n(pi) Z_U(pi) / sum_pi P_n(pi), over the cells with Q_m(pi) >= tau
    weight = n / n.sum() * (m >= LEAST)
    total = weight.sum(-1)
    return (weight * Z).sum(-1) / total, weight.square().sum(-1).sqrt() / total


def _near(distances: Nearest) -> tuple[Tensor, Tensor, Tensor]:
    """Return the near samples, bool N, and for each cell its near and all its held-out images, float64 K.

    Equal distances are equally near: all held-out images that are also in the training split are at 0.
    """
    near, rank = (
        torch.zeros(len(distances.generated), dtype=torch.bool),
        torch.zeros(_count(distances), dtype=torch.float64),
    )
    for cell in distances.held_out_cells.unique():
        held_out, inside = distances.held_out[distances.held_out_cells == cell], distances.generated_cells == cell
        threshold = held_out.kthvalue(max(1, len(held_out) // 100)).values
        near[inside] = distances.generated[inside] <= threshold
        rank[cell] = (held_out <= threshold).sum()
    return near, rank, torch.bincount(distances.held_out_cells, minlength=len(rank)).double()


def _count(distances: Nearest) -> int:
    return int(torch.cat([distances.generated_cells, distances.held_out_cells]).max()) + 1


def _chance(count: int, N: Tensor, rank: Tensor, M: Tensor) -> float:
    """Return the probability that `count` or more draws are near: within the rank_c-th smallest of M_c distances.

    Cell c has N_c draws, and the count is over all cells.
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
