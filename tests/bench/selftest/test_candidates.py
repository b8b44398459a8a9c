"""Candidates of the report card against loops written from the papers' formulas, and in cases with known answers."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from bench.evaluation.metrics.clipped import expected_filling
from bench.evaluation.metrics.fld import fitted_log_variances
from bench.selftest import candidates as c
from bench.selftest.comparison import Comparison, Truth, shares

N, D, BINS = 60, 4, 6


def truth(x: Tensor, classes: int = 3) -> Truth:
    centroids = x[:BINS].float()
    bins = torch.cdist(x.float(), centroids).argmin(1)
    return Truth(x, x.mean(0), x.T.cov(), centroids, shares(bins, BINS), torch.full((classes,), 1 / classes).double())


@pytest.fixture(scope="module")
def sets() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(N, D, generator=generator, dtype=torch.float64) for _ in range(2))
    return x, 0.7 * y + 0.4


@pytest.fixture(scope="module")
def comparison(sets: tuple[Tensor, Tensor]) -> Comparison:
    x, y = sets
    return Comparison(truth(x), y, torch.arange(N) % 2)


def distance(a: Tensor, b: Tensor) -> float:
    return math.dist(a.tolist(), b.tolist())


def radius(points: Tensor, i: int, k: int) -> float:
    return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]


def test_shares_of_balls_equal_loops(sets: tuple[Tensor, Tensor], comparison: Comparison) -> None:
    x, y = sets
    X = {k: [radius(x, i, k) for i in range(N)] for k in (3, 5)}
    Y = {k: [radius(y, j, k) for j in range(N)] for k in (3, 5)}

    def share(of: Tensor, others: Tensor, inside: object) -> float:
        return sum(any(inside(i, j) for j in range(N)) for i in range(N)) / N  # type: ignore[operator]

    def precise(k: int) -> float:
        return share(y, x, lambda j, i: distance(y[j], x[i]) <= X[k][i])

    def recalled(k: int) -> float:
        return share(x, y, lambda i, j: distance(x[i], y[j]) <= Y[k][j])

    covered = share(x, y, lambda i, j: distance(x[i], y[j]) < X[5][i])
    reached = share(y, x, lambda j, i: distance(y[j], x[i]) < Y[5][j])
    assert c.precision(comparison) == pytest.approx(precise(3))
    assert c.recall(comparison) == pytest.approx(recalled(3))
    assert c.coverage(comparison) == pytest.approx(covered)
    assert c.symmetric_recall(comparison) == pytest.approx(min(recalled(5), covered))
    assert c.symmetric_precision(comparison) == pytest.approx(min(precise(5), reached))


def test_probabilistic_ones_equal_loops(sets: tuple[Tensor, Tensor], comparison: Comparison) -> None:
    x, y = sets

    def probable(points: Tensor, balls: Tensor) -> float:
        R = 1.2 * sum(radius(balls, i, 4) for i in range(N)) / N
        missed = [math.prod(min(1, distance(point, ball) / R) for ball in balls) for point in points]
        return 1 - sum(missed) / N

    assert c.probable_precision(comparison) == pytest.approx(probable(y, x))
    assert c.probable_recall(comparison) == pytest.approx(probable(x, y))


@pytest.mark.parametrize("k", [5, 20])
def test_clipped_ones_equal_loops(sets: tuple[Tensor, Tensor], comparison: Comparison, k: int) -> None:
    x, y = sets
    radii = [radius(x, i, k) for i in range(N)]
    clipped = [min(one, float(np.median(radii))) for one in radii]

    def crowded(points: Tensor, own: bool) -> float:
        counts = [
            sum(distance(point, x[i]) <= clipped[i] + 1e-12 for i in range(N) if not (own and i == j))
            for j, point in enumerate(points)
        ]
        return sum(min(count / k, 1) for count in counts) / N

    expected = min(1, crowded(y, own=False) / crowded(x, own=True))
    assert c.clipped_density(comparison, k) == pytest.approx(expected, abs=0.02)  # two medians of an even number
    counts = [sum(distance(x[i], point) < radii[i] for point in y) for i in range(N)]
    full = sum(min(count / k, 1) for count in counts) / N
    share = c.clipped_coverage(comparison, k)
    filling = expected_filling(N, N, k)
    assert np.interp(share * N, np.arange(N + 1), filling) == pytest.approx(full)


def test_half_of_the_samples_far_away_leaves_clipped_coverage_at_half() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(1500, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    y[:750] += 1e3
    found = Comparison(truth(x), y, torch.zeros(1500, dtype=torch.int64))
    assert c.clipped_coverage(found, 5) == pytest.approx(0.5, abs=0.03)
    assert c.clipped_density(found, 5) == pytest.approx(0.5, abs=0.03)
    assert c.clipped_ratio(found) == pytest.approx(1, abs=0.06)


def test_histograms_in_closed_form(comparison: Comparison) -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]).double(), torch.tensor([0.25, 0.25, 0.5]).double()
    assert c.overlap(p, q) == pytest.approx(0.5)
    assert c.overlap(p, p) == pytest.approx(1)
    assert c.jensen_shannon(p, p) == pytest.approx(0, abs=1e-15)
    disjoint = torch.tensor([1.0, 0.0]).double()
    assert c.jensen_shannon(disjoint, disjoint.flip(0)) == pytest.approx(math.log(2))
    assert c.mode_kl(comparison) == pytest.approx(math.log(3 / 2))  # two classes of three, evenly


def test_moments_and_kernels_in_closed_form(sets: tuple[Tensor, Tensor]) -> None:
    x, _ = sets
    moved = Comparison(truth(x), x + 2.0, torch.zeros(N, dtype=torch.int64))
    assert c.fid(moved) == pytest.approx(4 * D)
    y = x.roll(1, 0)
    pairs = [(float(a @ b) / D + 1) ** 3 for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    cross = [(float(a @ b) / D + 1) ** 3 for a in x for b in y]
    same = Comparison(truth(x), y, torch.zeros(N, dtype=torch.int64))
    assert c.kid(same) == pytest.approx(1000 * (2 * np.mean(pairs) - 2 * np.mean(cross)))
    assert c.vendi(Comparison(truth(x), torch.eye(N, D).double()[torch.arange(N) % D], torch.zeros(N))) == (
        pytest.approx(D)
    )


def test_fld_judges_every_other_image_by_what_fits_the_rest(sets: tuple[Tensor, Tensor]) -> None:
    comparison = Comparison(truth(sets[0]), sets[1], torch.zeros(N))
    scale = comparison.truth.covariance.diagonal().sqrt()
    x, y = ((part - comparison.truth.mean) / scale for part in sets)
    variances = fitted_log_variances(x[::2], y).exp().tolist()
    densities = [
        np.mean([multivariate_normal.pdf(point, centre, v) for centre, v in zip(y, variances, strict=True)])
        for point in x[1::2]
    ]
    assert c.fld(comparison) == pytest.approx(-100 / D * np.log(densities).mean())


def test_fld_does_not_depend_on_the_order_of_samples_and_grows_with_a_shift(sets: tuple[Tensor, Tensor]) -> None:
    x, y = sets
    one, other = (Comparison(truth(x), part, torch.zeros(N)) for part in (y, y.flip(0)))
    assert c.fld(one) == pytest.approx(c.fld(other))
    assert c.fld(Comparison(truth(x), x + 3.0, torch.zeros(N))) > c.fld(one)
