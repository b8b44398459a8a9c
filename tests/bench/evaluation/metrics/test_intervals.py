"""Variances and intervals against closed forms and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from bench.evaluation.metrics.intervals import (
    MANY,
    Estimate,
    groups,
    half_width,
    half_width_of,
    jackknife,
    over_groups,
    over_some_pairs,
    pooled,
    share,
)
from bench.evaluation.protocol import GROUPS

X = torch.from_numpy(np.random.default_rng(3).normal(size=12))


def without(x: torch.Tensor) -> torch.Tensor:
    return (x.sum() - x) / (len(x) - 1)


def test_the_jackknife_of_a_mean_is_its_variance_with_pairs_or_without() -> None:
    pairs = (X.sum() - X[:, None] - X[None]) / (len(X) - 2)
    for given in (None, pairs):
        assert jackknife(without(X), float(X.mean()), given) == pytest.approx(float(X.var() / len(X)))


def test_pairs_take_at_most_half_of_the_variance_of_a_quadratic_figure() -> None:
    x = X - X.mean()

    def figure(total: torch.Tensor) -> torch.Tensor:  # the square of the sum is quadratic alone
        return total.square().squeeze(-1)

    singles, pairs = over_groups(figure, x[:, None])
    value = float(x.sum() ** 2)
    plain = jackknife(singles, value)
    assert plain / 2 - 1e-12 <= jackknife(singles, value, pairs) <= plain


def test_some_pairs_are_a_ring_or_disjoint_or_none() -> None:
    for partners, count in ((0, 5), (1, 10), (2, 20)):
        pairs = over_some_pairs(lambda g, h: 10.0 * min(g, h) + max(g, h), 10, partners)
        assert pairs is not None
        assert int(pairs.isfinite().sum()) == count
        g, h = pairs.isfinite().nonzero(as_tuple=True)
        assert (g < h).all()
        assert torch.equal(pairs[g, h], 10.0 * g.double() + h)
    assert over_some_pairs(lambda g, h: 0.0, 5, 2) is None


def test_equal_variances_add_their_degrees_of_freedom() -> None:
    assert pooled([(2.0, 5.0), (2.0, 5.0)]) == (4.0, pytest.approx(10.0))
    assert pooled([(0.0, 5.0)]) == (0.0, MANY)
    assert half_width_of([(4.0, 7.0)]) == pytest.approx(2 * stats.t.ppf(0.975, 7))


def test_the_half_width_of_a_mean_is_students() -> None:
    low, high = stats.t.interval(0.95, len(X) - 1, X.mean(), stats.sem(X))
    assert half_width(X.tolist()) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (10, 20), (20, 20), (997, 1000)])
def test_a_share_has_wilsons_interval(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert share(k / n, n).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_that_varies_as_fewer_draws_has_their_interval() -> None:
    n, p = 100, 0.3
    variance = p * (1 - p) / 25
    assert share(p, n, [(variance, MANY)]).interval == pytest.approx(share(p, 25).interval, rel=1e-3)


def test_an_interval_is_cut_at_the_bounds_and_given_ends_are_kept() -> None:
    estimate = Estimate(0.1, extra=(1.0, 10.0), bounds=(0.0, math.inf))
    assert estimate.half_width is not None
    assert estimate.interval == (0.0, 0.1 + estimate.half_width)
    assert Estimate(0.1, extra=(1.0, 10.0), ends=(0.0, 0.2)).interval == (0.0, 0.2)
    assert (Estimate(0.1).interval, Estimate(0.1).half_width) == (None, None)


@pytest.mark.parametrize("n", [2, 19, 20, 1003])
def test_groups_are_even_and_drawn_by_the_seed(n: int) -> None:
    counts = groups(n, 0).bincount()
    assert len(counts) == min(GROUPS, n)
    assert counts.max() - counts.min() <= 1
    assert torch.equal(groups(n, 0), groups(n, 0))
    assert n == 2 or not torch.equal(groups(n, 0), groups(n, 1))
