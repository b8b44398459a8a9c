"""Precision, recall, density and coverage: which points of one set lie in nearest-neighbour balls of the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.evaluation.intervals import Estimate

ENTRIES = 2**22  # distances held at once, 32 MiB
# Squared distances come from matrix products, so they err by some 1e-15 of the squared norms. Whatever is nearer than
# this to a ball's surface lies on it, as copies of reference images often do; float32 features differ by more.
TIE = 1e-12


@dataclass(frozen=True, eq=False)
class Manifolds:
    """Shares of the samples (precision) and of the reference (recall, coverage); density's mean is 1 for equal sets."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def manifolds(
    generated: Tensor, reference: Tensor, *, prc_neighbours: int, dc_neighbours: int, groups: Tensor
) -> Manifolds:
    """float N x D samples and M x D reference, int64 N groups -> four figures, with each group of samples left out.

    Precision and recall are Kynkäänniemi et al. 2019 (arXiv:1904.06991), Eq. 1 and 2, in closed balls; density and
    coverage are Naeem et al. 2020 (arXiv:2002.09797), Eq. 4 and 5, in open ones, as torch-fidelity and `prdc` have
    them. Both numbers of neighbours are less than N and M; where no more samples than `prc_neighbours` are left without
    a group, recall has no `without`. Intervals of recall and coverage are too wide, up to twofold where these are near
    1: a reference image that only one group reaches is lost with it.
    """
    centre = reference.double().mean(0)
    y, x = generated.double() - centre, reference.double() - centre
    G, k = int(groups.max()) + 1, dc_neighbours

    farthest = max(prc_neighbours, k)
    near = torch.cat([squares.topk(farthest, largest=False).values for _, squares in _blocks(x, x)])
    closed = _widened(near[:, prc_neighbours - 1], x, TIE)
    opened = _widened(near[:, k - 1], x, -TIE)
    x_reach = torch.maximum(closed, opened)

    radii = _widened(_radii(y, prc_neighbours, groups), y, TIE)
    defined = bool(radii.isfinite().all())  # infinite where too few samples are left
    radii[torch.arange(len(y)), groups] = -math.inf  # a sample has no ball without its own group
    y_reach = radii.amax(1, keepdim=True)

    precise = torch.zeros(len(y), dtype=torch.float64)
    balls = torch.zeros(len(y), dtype=torch.float64)  # that each sample lies in
    covering = torch.zeros(G, len(x), dtype=torch.bool)  # whether a sample of that group does
    recalled = torch.zeros(G + 1, len(x), dtype=torch.bool)  # without each group; in the last row with all
    for rows, squares in _blocks(y, x):
        j, i = (squares <= x_reach).nonzero(as_tuple=True)
        square = squares[j, i]
        precise[rows][j[square <= closed[i]]] = 1
        inside = square < opened[i]
        balls[rows] = j[inside].bincount(minlength=len(squares)).double()
        covering[groups[rows][j[inside]], i[inside]] = True

        j, i = ((squares <= y_reach[rows]) & ~recalled.all(0)).nonzero(as_tuple=True)
        square = squares[j, i]
        for radius, row in zip(radii[rows].T, recalled, strict=True):
            row[i[square <= radius[j]]] = True

    covers = covering.sum(0)
    recall = recalled.double().mean(1)
    return Manifolds(
        precision=_mean(precise, groups),
        recall=Estimate(float(recall[-1]), recall[:-1] if defined else None),
        # Eq. 4: 1 / (k M) sum_j sum_i 1[Y_j in B(X_i, NND_k(X_i))]
        density=_mean(balls, groups, k),
        # Eq. 5: 1 / N sum_i 1[some Y_j in B(X_i, NND_k(X_i))]; without g, some group but g covers X_i
        coverage=Estimate(float((covers > 0).double().mean()), (covers - covering.int() > 0).double().mean(1)),
    )


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of N x D to M x D, float64: some rows of them at a time, and which rows these are.

    Each block takes the place of the one before, as in `kernel`.
    """
    one = torch.ones(len(b), 1, dtype=b.dtype)
    right = torch.cat((b, one, _norms(b)), 1).T
    step = max(1, ENTRIES // len(b))
    room = a.new_empty(min(step, len(a)), len(b))
    for start in range(0, len(a), step):
        part = a[start : start + step]
        # |a - b|^2 = (-2 a, |a|^2, 1) . (b, 1, |b|^2), so that one product leaves nothing to add to the large block
        left = torch.cat((-2 * part, _norms(part), one[:1].expand(len(part), 1)), 1)
        squares = torch.mm(left, right, out=room[: len(part)])
        if a is b:
            squares.diagonal(start).fill_(math.inf)  # no point is its own neighbour
        yield slice(start, start + len(part)), squares


def _norms(a: Tensor) -> Tensor:
    return a.square().sum(1, keepdim=True)


def _widened(radii: Tensor, centres: Tensor, tie: float) -> Tensor:
    """Squared radii, N or N x G, moved by the rounding error of squared distances that are about as long."""
    norms = _norms(centres)
    return radii + tie * (radii + (norms if radii.ndim == 2 else norms[:, 0]))


def _radii(y: Tensor, k: int, groups: Tensor) -> Tensor:
    """Float64 N x (G + 1): squared distances to the k-th neighbour without each group; in the last column, with all.

    Infinite where there are fewer than k.
    """
    kept = min(2 * k + 2, len(y) - 1)  # more than k + 2 of them in one group of twenty are rare
    found = []
    for _, squares in _blocks(y, y):
        near = squares.topk(kept, largest=False)
        radii = _kth_without(near.values, groups[near.indices], k, int(groups.max()) + 1)
        few = radii.isinf().any(1)
        radii[few] = _kth_without(squares[few], groups.expand(int(few.sum()), -1), k, radii.shape[1] - 1)
        found.append(radii)
    return torch.cat(found)


def _kth_without(squares: Tensor, groups: Tensor, k: int, G: int) -> Tensor:
    """N x L of both -> N x (G + 1): each row's k-th smallest, the entries of one group left out."""
    return torch.stack([squares.masked_fill(groups == g, math.inf).kthvalue(k).values for g in range(G + 1)], 1)


def _mean(values: Tensor, groups: Tensor, unit: int = 1) -> Estimate:
    """The mean of float64 N over the samples, in units."""
    rest = values.sum() - groups.bincount(values)
    return Estimate(float(values.mean() / unit), rest / (len(values) - groups.bincount()) / unit)
