"""Precision, recall, density and coverage: the points of one set in nearest-neighbour balls of the other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.keys import key
from bench.evaluation.metrics.intervals import MANY, Estimate, pooled, share

ENTRIES = 2**22  # distances held at once, 32 MiB
# Squared distances come from matrix products, so they err by some 1e-15 of the squared norms. A point nearer than this
# to a ball's surface lies on it, as copies of reference images often do; float32 features differ by more.
TIE = 1e-12
SPLITS, PARTS = 8, 4  # random cuts of both sets, and the parts of a cut, to estimate how figures vary
PART = 1000  # points of a part, at most
FREEDOM = 12.0  # degrees of freedom of a component's estimate: 3 for each cut, less for the correlation of the cuts
ENOUGH = 4  # subsets whose spread estimates the variance due to the reference


class Crowd(NamedTuple):
    """Counts of N samples and of the M points of one reference subset, float64."""

    clipped: Tensor  # N, clipped balls that a sample lies in
    own: Tensor  # M, clipped balls of others that a reference point lies in
    held: Tensor  # M x G, samples of each group in the open ball around a reference point


@dataclass(frozen=True, eq=False)
class Manifolds:
    """Shares of the samples (precision) and of the reference (recall, coverage); density's mean is 1 for equal sets."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    crowds: list[Crowd]  # of each subset of the reference


class Balls(NamedTuple):
    """Squared radii around M points: of closed balls to the k-th neighbour of precision, of open ones of density.

    `clipped` are closed balls to the k-th neighbour of density, none wider than the median one; `own`, float64 M,
    counts the clipped balls of the others that each point lies in.
    """

    closed: Tensor
    opened: Tensor
    clipped: Tensor
    own: Tensor


class Components(NamedTuple):
    """Variances of a figure of n samples and n reference points: by the samples, by the reference, by their pairing."""

    samples: float
    reference: float
    pairing: float


def manifolds(
    generated: Tensor,
    reference: Tensor,
    *,
    prc_neighbours: int,
    dc_neighbours: int,
    subsets: int = 1,
    seed: int = 0,
    groups: Tensor | None = None,
) -> Manifolds:
    """Compute the means over `subsets` parts of the reference: float N x D samples, M x D reference in order of parts.

    groups: int64 N, the jackknife's group of each sample, by which `crowds` are counted; None: all are of one.

    Precision and recall are Kynkäänniemi et al. 2019 (arXiv:1904.06991), Eq. 1 and 2, in closed balls; density and
    coverage are Naeem et al. 2020 (arXiv:2002.09797), Eq. 4 and 5, in open ones, as torch-fidelity and `prdc` have
    them. Both numbers of neighbours are less than N and the size of a part.

    Intervals are over samples and over reference points, both as draws of their distributions. Given the reference,
    precision and density are means over independent samples; given the samples, recall is one over independent
    reference points. How far the other set moves a figure is the spread between the subsets, where there are enough,
    and otherwise that between parts of both sets (`_components`), whose balls have fewer points and the same number of
    neighbours. There are no intervals of recall and coverage where such parts have too few points, and those of
    precision and density are then over samples alone.
    """
    centre = reference.double().mean(0)
    y = generated.double() - centre
    pieces = reference.tensor_split(subsets)
    balls = _reference_balls(reference, subsets, prc_neighbours, dc_neighbours)
    reach = _balls(y, prc_neighbours, prc_neighbours).closed
    counts = [
        _count(y, reach, piece.double() - centre, around, groups) for piece, around in zip(pieces, balls, strict=True)
    ]
    precise = torch.stack([count.precise for count in counts])  # R x N
    inside = torch.stack([count.inside for count in counts])
    recalled = torch.cat([count.recalled for count in counts])  # M
    covered = torch.stack([count.covered.mean() for count in counts])  # R
    parts = _components(y, [piece.double() - centre for piece in pieces[:SPLITS]], prc_neighbours, dc_neighbours, seed)
    n = len(y)

    recall, coverage = float(recalled.mean()), float(covered.mean())

    def by_reference(components: Components) -> tuple[float, float]:
        if subsets >= ENOUGH:
            return float(covered.var() / subsets), subsets - 1.0
        independent = coverage * (1 - coverage) / len(recalled)  # neighbours are correlated and vary more
        return max(independent, (components.reference + components.pairing) / subsets), FREEDOM

    return Manifolds(
        precision=share(float(precise.mean()), n, _of_samples(precise, parts[0] if parts else None)),
        recall=share(
            recall, n, [(recall * (1 - recall) / len(recalled), MANY), (parts[1].samples, FREEDOM)]
        ) if parts else Estimate(recall),
        # Eq. 4: 1 / (k M) sum_j sum_i 1[Y_j in B(X_i, NND_k(X_i))]
        density=Estimate(
            float(inside.mean() / dc_neighbours),
            extra=pooled(_of_samples(inside / dc_neighbours, parts[2] if parts else None)), bounds=(0.0, math.inf)
        ),
        # Eq. 5: 1 / N sum_i 1[some Y_j in B(X_i, NND_k(X_i))]
        coverage=share(
            coverage, n, [by_reference(parts[3]), (parts[3].samples, FREEDOM)]
        ) if parts else Estimate(coverage),
        crowds=[Crowd(count.clipped, around.own, count.held) for count, around in zip(counts, balls, strict=True)],
    )  # fmt: skip


class Count(NamedTuple):
    """Points in the balls of one reference part and of the samples, float64."""

    precise: Tensor  # N, 1 for a sample in a closed ball
    inside: Tensor  # N, open balls that a sample lies in
    recalled: Tensor  # M, 1 for a reference point in a sample's ball
    covered: Tensor  # M, 1 for an open ball with a sample
    clipped: Tensor  # N, clipped balls that a sample lies in
    held: Tensor  # M x G, samples of each group in an open ball


def _count(y: Tensor, reach: Tensor, x: Tensor, balls: Balls, groups: Tensor | None = None) -> Count:
    """Count samples N x D, with their squared radii, against a reference part M x D with its balls."""
    groups = torch.zeros(len(y), dtype=torch.int64) if groups is None else groups
    n, m, G = len(y), len(x), int(groups.max()) + 1
    count = Count(*(torch.zeros(size, dtype=torch.float64) for size in (n, n, m, m, n, (m, G))))
    held = count.held.view(-1)
    x_reach = torch.maximum(torch.maximum(balls.closed, balls.opened), balls.clipped)
    for rows, squares in _blocks(y, x):
        j, i = (squares <= x_reach).nonzero(as_tuple=True)
        square = squares[j, i]
        count.precise[rows][j[square <= balls.closed[i]]] = 1
        inside = square < balls.opened[i]
        count.inside[rows] = j[inside].bincount(minlength=len(squares)).double()
        count.covered[i[inside]] = 1
        count.clipped[rows] = j[square <= balls.clipped[i]].bincount(minlength=len(squares)).double()
        held += (i[inside] * G + groups[rows][j[inside]]).bincount(minlength=m * G)
        count.recalled[(squares <= reach[rows, None]).any(0)] = 1
    return count


def _of_samples(values: Tensor, components: Components | None) -> list[tuple[float, float]]:
    """Return the variances of the mean of R x N values, of N independent samples with each of R reference subsets."""
    R, n = values.shape
    samples = float(values.mean(0).var() / n)
    if components is None:
        return [(samples, MANY)]
    if R < ENOUGH:
        return [(samples, MANY), (components.reference / R, FREEDOM)]
    # the spread between subsets holds the pairing's part too, which `samples` has already
    pairing = (float(values.var(1).mean() / n) - samples) / (R - 1)
    return [(samples, MANY), (max(0.0, float(values.mean(1).var() / R) - pairing), R - 1.0)]


def _components(
    y: Tensor, pieces: Sequence[Tensor], prc_neighbours: int, dc_neighbours: int, seed: int
) -> list[Components] | None:
    """Estimate the components of precision, recall, density and coverage; None where parts have too few points.

    Both sets are cut into 4 parts. The figures of all 16 pairs are a table of two factors, and an analysis of variance
    gives their variances. The figures are sums over neighbourhoods, so variances fall as one over the number of points.
    The result is the mean over 8 cuts, each of another piece of the reference where there are several.
    """
    size = min(len(y) // PARTS, min(map(len, pieces)) // PARTS, PART)
    if size <= max(prc_neighbours, dc_neighbours) + 1:
        return None
    random = np.random.RandomState(key("manifold parts", seed))
    tables = []
    for split in range(SPLITS):
        a, b = (
            points[torch.from_numpy(random.permutation(len(points))[: PARTS * size])].split(size)
            for points in (y, pieces[split % len(pieces)])
        )
        reaches = [_balls(part, prc_neighbours, prc_neighbours).closed for part in a]
        balls = [_balls(part, prc_neighbours, dc_neighbours) for part in b]
        tables.append([[_four(_count(p, r, q, c), dc_neighbours) for q, c in zip(b, balls, strict=True)]
                       for p, r in zip(a, reaches, strict=True)])  # fmt: skip
    table = torch.tensor(tables, dtype=torch.float64)  # SPLITS x PARTS x PARTS x 4
    rows, columns = table.mean(2, keepdim=True), table.mean(1, keepdim=True)
    residual = table - rows - columns + table.mean((1, 2), keepdim=True)
    pairing = residual.square().sum((1, 2)).mean(0) / (PARTS - 1) ** 2
    samples, reference = (means.var(axis).mean((0, 1)) - pairing / PARTS for means, axis in ((rows, 1), (columns, 2)))
    variances = torch.stack([samples, reference, pairing], 1).clamp(min=0) * size
    scale = torch.tensor([len(y), len(pieces[0]), len(y)], dtype=torch.float64)
    return [Components(*row) for row in (variances / scale).tolist()]


def _four(count: Count, k: int) -> tuple[float, float, float, float]:
    return (
        float(count.precise.mean()), float(count.recalled.mean()),
        float(count.inside.mean() / k), float(count.covered.mean()),
    )  # fmt: skip


@lru_cache(maxsize=1)  # all rows of a table have the same
def _reference_balls(reference: Tensor, subsets: int, prc_neighbours: int, dc_neighbours: int) -> list[Balls]:
    centre = reference.double().mean(0)
    return [_balls(piece.double() - centre, prc_neighbours, dc_neighbours) for piece in reference.tensor_split(subsets)]


def _balls(x: Tensor, prc_neighbours: int, dc_neighbours: int) -> Balls:
    """Return the balls around each of N x D points, to its neighbours among the others."""
    farthest = max(prc_neighbours, dc_neighbours)
    parts = [squares.topk(farthest, largest=False) for _, squares in _blocks(x, x)]
    near, neighbours = (torch.cat([part[which] for part in parts]) for which in (0, 1))
    radii = near[:, dc_neighbours - 1]
    clipped = _widened(radii.clamp(max=float(radii.clamp(min=0).sqrt().quantile(0.5)) ** 2), x, TIE)
    # a clipped ball holds none but the neighbours
    own = neighbours[:, :dc_neighbours][near[:, :dc_neighbours] <= clipped[:, None]].bincount(minlength=len(x))
    return Balls(_widened(near[:, prc_neighbours - 1], x, TIE), _widened(radii, x, -TIE), clipped, own.double())


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of rows, and their squared distances N x D to M x D, float64.

    Each block overwrites the previous one, as in `kid._kernel`.
    """
    ones = torch.ones(len(b), 1, dtype=b.dtype)
    right = torch.cat((b, ones, _norms(b)), 1).T
    step = max(1, ENTRIES // len(b))
    room = a.new_empty(min(step, len(a)), len(b))
    for start in range(0, len(a), step):
        part = a[start : start + step]
        # |a - b|^2 = (-2 a, |a|^2, 1) . (b, 1, |b|^2), so that one product leaves nothing to add to the large block
        left = torch.cat((-2 * part, _norms(part), ones[:1].expand(len(part), 1)), 1)
        squares = torch.mm(left, right, out=room[: len(part)])
        if a is b:
            squares.diagonal(start).fill_(math.inf)  # no point is its own neighbour
        yield slice(start, start + len(part)), squares


def _norms(a: Tensor) -> Tensor:
    return a.square().sum(1, keepdim=True)


def _widened(radii: Tensor, centres: Tensor, tie: float) -> Tensor:
    """Return squared radii, N, changed by the rounding error of squared distances of about the same size."""
    return radii + tie * (radii + _norms(centres)[:, 0])
