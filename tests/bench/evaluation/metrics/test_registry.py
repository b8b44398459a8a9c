"""The registry: what applies to which samples, which way is better, limits and planted failures, on features made by
hand. Each metric's own identities are in the file of its name."""

import functools
import math
from pkgutil import resolve_name
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.feature_sets import Copies, FeatureSets, ModeCount, Nearest, SecondSpace
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.registry import METRICS, PACKAGE, expected
from bench.evaluation.protocol import Protocol
from bench.evaluation.tasks.registry import ABILITIES, resolve
from datamodules import DATAMODULES
from datamodules.base import ImageDataModule
from models import MODELS
from models.base import GenerativeModel

# of samples of given labels, and of given captions: test_labels.py, test_words.py
GIVEN = set(expected(given=True, captioned=True)) - set(expected(given=False))


def sets(generated: Tensor, reference: Tensor, **changes: Any) -> FeatureSets:
    """Feature sets with everything that a metric may be made of; classes and modes by the first feature's sign."""
    n = len(generated)
    protocol = Protocol(
        data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=n, chunk=1, **changes
    )
    label = (generated[:, 0] > 0).long()
    zeros = torch.zeros(n, dtype=torch.long)
    nearest = [torch.cdist(x.float(), reference[: n // 2].float()).amin(1) for x in (generated, reference[n // 2 :])]
    near = Nearest(nearest[0], zeros, nearest[1], zeros[: len(nearest[1])])
    return FeatureSets(
        generated, reference, Moments.from_features(reference), protocol, groups(n, 0),
        10 * torch.nn.functional.one_hot(label, 2).float(), ModeCount(label, torch.full((2,), 0.5).double()),
        near, Copies(near, torch.zeros(n, dtype=torch.bool), 0, n), reference[n // 2 :],
        SecondSpace(generated[:, :3], Moments.from_features(reference[:, :3])),
    )  # fmt: skip


def values(generated: Tensor, reference: Tensor, **changes: Any) -> dict[str, float]:
    compared = sets(generated, reference, **changes)
    found = {name: metric.compute(compared) for name, metric in METRICS.items() if metric.applies(compared)}
    return {name: estimate.value for name, estimate in found.items() if estimate is not None}


def normal(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clusters(n: int, kept: int, seed: int) -> Tensor:
    """n points, evenly on the first `kept` of eight clusters far apart in 6 dimensions."""
    centres = 100 * normal(8, 6, seed=99)
    return (centres[torch.arange(n) % kept] + normal(n, 6, seed)).float()


def test_identical_sets_reach_every_limit() -> None:
    x = normal(120, 6).float()
    found = values(x, x.clone(), kid_subset_size=120)
    # In each open ball of radius NND_k lie the point itself and k - 1 neighbours: density is 1 exactly.
    exact = {"precision": 1, "recall": 1, "density": 1, "coverage": 1, "modes": 2}
    exact |= {"clipped_density": 1, "clipped_coverage": 1}
    assert {name: found[name] for name in exact} == exact
    assert found["fid"] == pytest.approx(0, abs=1e-9)
    assert found["fd_random"] == pytest.approx(0, abs=1e-9)
    assert found["kid"] < 0  # the unbiased estimate of 0 counts the diagonal of k(x, y) alone


def test_dropped_modes_lower_recall_and_coverage_but_not_precision() -> None:
    real = clusters(240, kept=8, seed=1)
    found = [values(clusters(240, kept, seed=2), real) for kept in (8, 6, 4, 2)]
    for name in ("recall", "coverage", "clipped_coverage", "vendi"):
        falling = [row[name] for row in found]
        assert falling == sorted(falling, reverse=True)
    assert max(found[-1]["recall"], found[-1]["coverage"]) <= 0.25
    assert [row["fid"] for row in found] == sorted(row["fid"] for row in found)
    assert min(row["precision"] for row in found) >= found[0]["precision"] - 0.05
    assert found[0]["precision"] > 0.8


@functools.cache
def shifted(shift: int, quantisation: str) -> dict[str, float]:
    """Every figure of samples that lie so far from real ones along the diagonal."""
    return values(normal(100, 6, 2).float() + shift, normal(100, 6, 1).float(), quantisation=quantisation)


@functools.cache
def constant(quantisation: str) -> dict[str, float]:
    """Every figure of samples that are all equal to one real one."""
    real = normal(100, 6, 1).float()
    return values(real[:1].repeat(100, 1), real, quantisation=quantisation)


@pytest.mark.parametrize("name", expected(given=False))
def test_direction_is_where_the_better_samples_are(name: str) -> None:
    """Shifted along the diagonal, samples are far, of one class, of one mode, and all in one direction."""
    quantisation = "none" if name == "high_quality" else "uint8"
    good, bad = (shifted(shift, quantisation)[name] for shift in (0, 4))
    if METRICS[name].direction == "neither" or name == "high_quality":
        assert METRICS[name].name == name
    else:
        assert (good < bad) == (METRICS[name].direction == "lower")


@pytest.mark.parametrize("name", expected(given=False))
def test_a_constant_set_gives_a_finite_number(name: str) -> None:
    assert math.isfinite(constant("none" if name == "high_quality" else "uint8")[name])


def test_what_cannot_be_measured_is_left_out() -> None:
    x = normal(60, 6).float()
    plain = FeatureSets(x, x, Moments.from_features(x), sets(x, x).protocol, groups(60, 0))
    left = {name for name, metric in METRICS.items() if metric.applies(plain)}
    assert METRICS["fid_infinity"].compute(plain) is not None
    manifold = {"precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage"}
    assert left == {"fid", "fid_infinity", "kid", "vendi"} | manifold
    points = sets(x, x, quantisation="none")
    assert {name for name, metric in METRICS.items() if not metric.applies(points)} == {"vendi"} | GIVEN


def test_every_metric_ability_model_and_data_set_is_found_under_its_name() -> None:
    for metric in METRICS.values():
        assert isinstance(metric.function, str)
        assert callable(resolve_name(PACKAGE + metric.function))
    for entry in ABILITIES.values():
        assert callable(resolve(entry.measure))
        assert resolve(entry.protocol).__name__
    assert all(issubclass(model, GenerativeModel) for model in MODELS.values())
    assert all(issubclass(data, ImageDataModule) for data in DATAMODULES.values())
