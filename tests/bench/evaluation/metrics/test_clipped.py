"""Clipped density and coverage against loops written from the paper, counts of all orders, and in known cases."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.clipped import clipped_coverage, clipped_density, expected_filling
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.protocol import Protocol

N, D, K = 61, 4, 5  # an odd number has one median


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sets(y: Tensor, x: Tensor) -> FeatureSets:
    protocol = Protocol(data="-", extractor="-", extractor_digest="0", reference_digest="0", samples=len(y), chunk=1)
    return FeatureSets(y, x, Moments.from_features(x), protocol, groups(len(y), 0))


def loops(y: Tensor, x: Tensor) -> tuple[float, float]:
    """Both figures of one reference subset, by definition, without the clip of density at 1."""
    near = [
        sorted(math.dist(a, b) for j, b in enumerate(x.tolist()) if j != i)[K - 1] for i, a in enumerate(x.tolist())
    ]
    clipped = [min(radius, float(np.median(near))) for radius in near]

    def crowd(points: Tensor, own: bool) -> float:
        counts = [
            sum(math.dist(point, ball) <= clipped[i] + 1e-9 for i, ball in enumerate(x.tolist()) if not own or i != j)
            for j, point in enumerate(points.tolist())
        ]
        return float(np.mean([min(count, K) / K for count in counts]))

    held = [sum(math.dist(ball, point) < near[i] - 1e-9 for point in y.tolist()) for i, ball in enumerate(x.tolist())]
    filling = np.mean([min(count, K) / K for count in held])
    share = np.interp(filling, expected_filling(len(x), len(y), K), np.linspace(0, 1, len(y) + 1))
    return crowd(y, own=False) / crowd(x, own=True), float(share)


@pytest.mark.parametrize("subsets", [1, 2])
def test_each_is_the_mean_of_its_definition_over_the_subsets(subsets: int) -> None:
    y, x = 0.8 * normal(N, D, 1) + 0.5, normal(subsets * N, D, 2)
    density, coverage = np.mean([loops(y, part) for part in x.chunk(subsets)], 0)
    assert 0.1 < density < 1
    assert clipped_density(sets(y, x)).value == pytest.approx(density)
    assert clipped_coverage(sets(y, x)).value == pytest.approx(coverage)


@pytest.mark.parametrize(("n", "m", "k"), [(4, 3, 1), (5, 4, 2), (6, 3, 3)])
def test_expected_filling_equals_a_count_of_all_orders(n: int, m: int, k: int) -> None:
    """The n - 1 others and g samples are in random order of their distance to a reference point."""
    for g, filling in enumerate(expected_filling(n, m, k)):
        total, orders = 0.0, 0
        for places in itertools.combinations(range(n - 1 + g), g):  # of the samples
            others = [place for place in range(n - 1 + g) if place not in places]
            total += min(k, sum(place < others[k - 1] for place in places)) / k
            orders += 1
        assert filling == pytest.approx(total / orders)


@pytest.mark.parametrize("good", [0.0, 0.3, 0.7, 1.0])
def test_both_are_the_share_of_good_samples(good: float) -> None:
    y, x = normal(500, 3, 1), normal(8 * 500, 3, 2)
    y[int(good * 500) :] += 1e3
    for figure in (clipped_density, clipped_coverage):
        estimate = figure(sets(y, x))
        assert estimate.value == pytest.approx(good, abs=0.04)
        assert estimate.interval is not None
        assert 0 <= estimate.interval[0] <= estimate.value <= estimate.interval[1] <= 1


def test_the_reference_itself_scores_1_and_one_point_repeated_hardly_anything() -> None:
    x = normal(100, 3, 1)
    assert [figure(sets(x.clone(), x)).value for figure in (clipped_density, clipped_coverage)] == [1, 1]
    same = x[:1].repeat(100, 1)
    assert clipped_coverage(sets(same, x)).value < 0.1


def test_outliers_of_the_reference_lend_no_density() -> None:
    """Samples in the wide balls around a few far points count in density, and not in clipped density."""
    x = torch.cat([normal(95, 2, 1), 1000 + 100 * normal(5, 2, 2)])
    y = 1000 + 100 * normal(100, 2, 3)
    features = sets(y, x)
    assert features.manifolds.density.value > 0.5
    assert clipped_density(features).value == 0


@pytest.mark.parametrize("figure", [clipped_density, clipped_coverage])
def test_without_a_group_is_the_figure_of_the_others(figure: object) -> None:
    y, x = 0.8 * normal(60, D, 1) + 0.5, normal(60 * 4, D, 2)
    features = sets(y, x)
    found = figure(features).without  # type: ignore[operator]
    rest = features.groups != 3
    balls = [crowd._replace(clipped=crowd.clipped[rest], held=crowd.held[:, features.groups[rest].unique()])
             for crowd in features.manifolds.crowds]  # fmt: skip
    fewer = replace(features, generated=y[rest], groups=features.groups[rest].unique(return_inverse=True)[1])
    fewer.__dict__["manifolds"] = replace(features.manifolds, crowds=balls)  # in place of the cached property
    assert float(found[3]) == pytest.approx(figure(fewer).value)  # type: ignore[operator]


def test_there_is_no_interval_where_few_subsets_hide_the_references_part() -> None:
    y = normal(40, D, 1)
    assert clipped_density(sets(y, normal(40 * 3, D, 2))).interval is None
    assert clipped_density(sets(y, normal(40 * 4, D, 2))).interval is not None


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "shift"), [(0.7, 1.0), (1.2, 0.2)])
def test_intervals_hold_the_mean_over_draws_of_both_sets(scale: float, shift: float) -> None:
    draws = [sets(scale * normal(200, D, s) + shift, normal(200 * 8, D, 5000 + s)) for s in range(60)]
    for figure in (clipped_density, clipped_coverage):
        estimates = [figure(draw) for draw in draws]
        mean = np.mean([estimate.value for estimate in estimates])
        ends = [estimate.interval or (math.nan, math.nan) for estimate in estimates]
        held = np.mean([low <= mean <= high for low, high in ends])
        length = np.mean([high - low for low, high in ends]) / (3.92 * np.std([e.value for e in estimates]))
        print(f"{figure.__name__}: {held:.0%} hold the mean {mean:.3f}, {length:.2f} times as long as the spread")
        assert held >= 0.85
        assert length < 1.5
