"""Diversity against closed forms and the reference implementations, and intervals against removing each group."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric
from vendi_score import vendi as package

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.diversity import class_entropy, inception_score, vendi
from bench.evaluation.metrics.feature_sets import FeatureSets, ModeCount
from bench.evaluation.metrics.intervals import Estimate, groups
from bench.evaluation.protocol import Protocol


def sets(
    generated: Tensor, *, logits: Tensor | None = None, assigned: Tensor | None = None, keep: Tensor | None = None
) -> FeatureSets:
    """Feature sets of these samples; of those in `keep` alone, if it is given."""
    n = len(generated)
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=n, chunk=1, seed=5)
    kept = torch.arange(n) if keep is None else keep.nonzero().squeeze(1)
    K = 0 if assigned is None else int(assigned.max()) + 1
    modes = None if assigned is None else ModeCount(assigned[kept], torch.full((K,), 1 / max(K, 1)).double())
    return FeatureSets(
        generated[kept],
        generated,
        Moments.from_features(generated),
        protocol,
        groups(n, 0)[kept] if keep is None else groups(len(kept), 0),
        None if logits is None else logits[kept],
        modes,
    )


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def removed(metric: Callable[[FeatureSets], Estimate | None], n: int, **tensors: Tensor) -> list[float]:
    """The metric of all samples but those of each group, computed from nothing."""
    found = []
    for g in range(int(groups(n, 0).max()) + 1):
        estimate = metric(sets(**tensors, keep=groups(n, 0) != g))  # type: ignore[arg-type]
        assert estimate is not None
        found.append(estimate.value)
    return found


@pytest.mark.parametrize("m", [1, 3, 8])
def test_vendi_of_equal_groups_of_orthogonal_samples_is_their_number(m: int) -> None:
    directions = torch.linalg.qr(normal(8, 8, 1))[0][:m]
    lengths = torch.rand(60 * m, 1, generator=torch.Generator().manual_seed(2)) + 0.1  # the cosine does not see them
    assert vendi(sets(directions.repeat(60, 1) * lengths)).value == pytest.approx(m, rel=1e-6)


def test_vendi_of_unequal_groups_is_the_exponential_of_their_entropy() -> None:
    x = torch.eye(3)[[0] * 50 + [1] * 30 + [2] * 20]
    expected = math.exp(-sum(p * math.log(p) for p in (0.5, 0.3, 0.2)))
    assert vendi(sets(x)).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "dim"), [(300, 20), (40, 64)])  # the second has fewer samples than features
def test_vendi_is_the_packages_by_either_route(n: int, dim: int) -> None:
    x = torch.relu(normal(n, dim, 3) + 0.5)
    found = vendi(sets(x)).value
    assert found == pytest.approx(package.score_X(x.double().numpy()), rel=1e-9)
    assert found == pytest.approx(package.score_dual(x.double().numpy()), rel=1e-9)


def test_samples_of_zeros_are_one_more_direction() -> None:
    x = torch.cat([torch.eye(4).repeat(10, 1), torch.zeros(10, 4)])
    assert vendi(sets(x)).value == pytest.approx(5, rel=1e-12)
    estimate = vendi(sets(torch.zeros(50, 4)))
    assert (estimate.value, estimate.half_width) == (1, 0)


def test_inception_score_is_torch_fidelitys() -> None:
    logits = 2 * normal(237, 10, 4)
    theirs = isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    found = inception_score(sets(logits, logits=logits))
    assert found is not None
    assert found.value == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("scale", [50.0, 3000.0])  # exp(-3000) is 0 in float64
def test_inception_score_of_confident_classes_is_their_number(scale: float) -> None:
    one, even = torch.eye(10)[[3] * 400] * scale, torch.eye(10).repeat(40, 1) * scale
    found = [inception_score(sets(logits, logits=logits)) for logits in (one, even, torch.zeros(400, 10))]
    assert all(estimate is not None and estimate.without is not None for estimate in found)
    one_class, ten, undecided = (estimate for estimate in found if estimate is not None)
    assert one_class.value == pytest.approx(1, rel=1e-9)
    assert undecided.value == pytest.approx(1, rel=1e-9)
    assert ten.value == pytest.approx(10, rel=1e-9)
    assert ten.interval is not None
    assert ten.interval[1] == 10
    counts = torch.stack([torch.bincount(torch.arange(400)[groups(400, 0) != g] % 10) for g in range(20)]).double()
    expected = torch.special.entr(counts / counts.sum(1, keepdim=True)).sum(1).exp()
    torch.testing.assert_close(ten.without, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("assigned", "expected"), [([0, 1, 2, 3] * 25, math.log(4)), ([2] * 40, 0)])
def test_class_entropy_has_its_closed_forms_and_leaves_out_samples_of_no_mode(
    assigned: list[int], expected: float
) -> None:
    for without_mode in (0, 30):
        modes = torch.tensor(assigned + [-1] * without_mode)
        found = class_entropy(sets(normal(len(modes), 2, 0), assigned=modes))
        assert found is not None
        assert found.value == pytest.approx(expected, abs=1e-12)


def test_intervals_are_those_of_removing_each_group() -> None:
    n = 210
    x = torch.relu(normal(n, 12, 6) + 0.2)
    x[::17] = 0
    modes = torch.from_numpy(np.random.RandomState(1).randint(-1, 6, n))
    found, entropy = vendi(sets(x)), class_entropy(sets(x, assigned=modes))
    assert found.without is not None
    assert entropy is not None
    assert entropy.without is not None
    np.testing.assert_allclose(found.without.numpy(), removed(vendi, n, generated=x), rtol=1e-9)
    np.testing.assert_allclose(
        entropy.without.numpy(), removed(class_entropy, n, generated=x, assigned=modes), rtol=1e-12
    )


def test_the_inception_scores_interval_is_of_the_score_that_is_printed() -> None:
    n = 210
    logits = 2 * normal(n, 10, 7)
    found = inception_score(sets(logits, logits=logits))
    assert found is not None
    assert found.without is not None
    expected = [isc_features_to_metric(logits[groups(n, 0) != g], splits=1)["inception_score_mean"] for g in range(20)]
    np.testing.assert_allclose(found.without.numpy(), expected, rtol=1e-12)


def test_what_the_data_does_not_have_is_no_figure() -> None:
    x = normal(30, 2, 0)
    assert inception_score(sets(x)) is None
    assert class_entropy(sets(x)) is None
    none = sets(x, assigned=torch.tensor([-1] * 29 + [0]))
    found = class_entropy(none)
    assert found is not None
    assert (found.value, found.without) == (0, None)  # without the only one there is nothing to measure
