"""Metrics against closed forms, limits, other implementations, and planted failures, on features made by hand."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from pytorch_fid.fid_score import calculate_frechet_distance
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from bench.evaluation import METRICS, Moments, Protocol, metrics
from bench.evaluation.metrics import FeatureSets


def sets(generated: Tensor, reference: Tensor, **changes: Any) -> FeatureSets:
    protocol = Protocol(
        data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=len(generated), chunk=1, **changes
    )
    return FeatureSets(generated, reference, Moments.from_features(reference), protocol)


def value(name: str, generated: Tensor, reference: Tensor, **changes: Any) -> float:
    return METRICS[name].compute(sets(generated, reference, **changes))


def normal(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def white(n: int, dim: int, seed: int) -> Tensor:
    """Points whose mean is 0 and whose covariance is the identity, exactly."""
    x = normal(n, dim, seed)
    x = x - x.mean(0)
    root: Tensor = torch.linalg.cholesky(x.T @ x / (n - 1))
    whitened: Tensor = torch.linalg.solve_triangular(root.T, x, upper=True, left=False)
    return whitened


def modes(n: int, kept: int, seed: int) -> Tensor:
    """n points, evenly on the first `kept` of eight clusters far apart in 6 dimensions."""
    centres = 100 * normal(8, 6, seed=99)
    return (centres[torch.arange(n) % kept] + normal(n, 6, seed)).float()


def test_fid_of_gaussians_is_the_closed_form() -> None:
    dim = 12
    rotation = torch.linalg.qr(normal(dim, dim, 5))[0]
    mu, s1, s2 = normal(1, dim, 6), torch.linspace(0.1, 3, dim).double(), torch.linspace(2, 0.5, dim).double()
    a = white(500, dim, 1) * s1 @ rotation
    b = white(700, dim, 2) * s2 @ rotation + mu
    expected = float((mu**2).sum() + ((s1 - s2) ** 2).sum())  # covariances that commute
    assert value("fid", a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "dim"), [(400, 32), (40, 64)])  # the second has singular covariances
def test_fid_is_torch_fidelitys_and_pytorch_fids(n: int, dim: int) -> None:
    a, b = (torch.relu(normal(n, dim, seed) @ normal(dim, dim, 9)).float() for seed in (1, 2))
    ours = value("fid", a, b)
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(x.double()) for x in (a, b)), verbose=False)
    x, y = a.double().numpy(), b.double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls scipy in an old way
        old = calculate_frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert ours == pytest.approx(old, rel=1e-6)


def test_kid_on_whole_sets_is_the_unbiased_mmd() -> None:
    n, dim = 50, 10
    a, b = torch.relu(normal(n, dim, 1)), torch.relu(normal(n, dim, 2) + 0.3)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / dim + 1) ** 3

    def off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.diagonal().sum()) / (n * (n - 1))

    expected = off_diagonal(kernel(a, a)) + off_diagonal(kernel(b, b)) - 2 * kernel(a, b).mean()
    assert value("kid", a, b, kid_subset_size=n, kid_subsets=2) == pytest.approx(float(expected), rel=1e-9)


def test_kid_of_equal_distributions_is_about_zero() -> None:
    values = [value("kid", normal(100, 8, s), normal(100, 8, 50 + s), kid_subsets=1) for s in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


@pytest.mark.parametrize("name", ["fid", "kid"])
def test_distances_are_symmetric(name: str) -> None:
    a, b = normal(80, 6, 1), normal(80, 6, 2) + 0.5
    assert value(name, a, b, kid_subset_size=80) == pytest.approx(value(name, b, a, kid_subset_size=80), rel=1e-6)


def test_precision_of_one_set_in_the_other_is_recall_the_other_way() -> None:
    a, b = normal(80, 6, 1).float(), (normal(80, 6, 2) + 0.5).float()
    assert value("precision", a, b) == value("recall", b, a)
    assert 0 < value("precision", a, b) < 1


@pytest.mark.parametrize(("n", "m", "dim", "k"), [(200, 200, 8, 5), (150, 230, 64, 3), (90, 40, 2, 1)])
def test_density_and_coverage_are_prdcs(n: int, m: int, dim: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "BLOCK", 17)  # blocks that do not divide the set
    y, x = torch.relu(normal(n, dim, 1)).float(), torch.relu(normal(m, dim, 2) + 0.2).float()
    theirs = compute_prdc(x.numpy(), y.numpy(), nearest_k=k)
    ours = sets(y, x, dc_neighbours=k).density_coverage
    assert ours == pytest.approx((theirs["density"], theirs["coverage"]), rel=1e-12)


def test_identical_sets_reach_every_limit() -> None:
    x = normal(120, 6).float()
    found = {name: value(name, x, x.clone(), kid_subset_size=120) for name in METRICS}
    # In each open ball of radius NND_k lie the point itself and k - 1 neighbours: density is 1 exactly.
    exact = {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
    assert {name: found[name] for name in exact} == exact
    assert found["fid"] == pytest.approx(0, abs=1e-9)
    assert found["kid"] < 0  # the unbiased estimate of 0 counts the diagonal of k(x, y) alone


def test_dropped_modes_lower_recall_and_coverage_but_not_precision() -> None:
    real = modes(240, kept=8, seed=1)
    found = [{name: value(name, modes(240, kept, seed=2), real) for name in METRICS} for kept in (8, 6, 4, 2)]
    for name in ("recall", "coverage"):
        values = [row[name] for row in found]
        assert values == sorted(values, reverse=True)
        assert values[-1] <= 0.25
    assert [row["fid"] for row in found] == sorted(row["fid"] for row in found)
    assert min(row["precision"] for row in found) >= found[0]["precision"] - 0.05
    assert found[0]["precision"] > 0.8


@pytest.mark.parametrize("name", METRICS)
def test_direction_is_where_the_better_samples_are(name: str) -> None:
    real = normal(100, 6, 1).float()
    good, bad = value(name, normal(100, 6, 2).float(), real), value(name, normal(100, 6, 2).float() + 3, real)
    assert (good < bad) == (METRICS[name].direction == "lower")
    assert METRICS[name].name == name


@pytest.mark.parametrize("name", METRICS)
def test_a_constant_set_gives_a_finite_number(name: str) -> None:
    real = normal(100, 6, 1).float()
    assert math.isfinite(value(name, real[:1].repeat(100, 1), real))
