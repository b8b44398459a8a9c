"""KID against its definition and its limits, on features made by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics import kid as kernel
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import groups, jackknife
from bench.evaluation.metrics.kid import kid
from bench.evaluation.protocol import Protocol


def sets(generated: Tensor, reference: Tensor, of: Tensor | None = None, **changes: Any) -> FeatureSets:
    protocol = Protocol(
        data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=len(generated), chunk=1, **changes
    )
    dealt = groups(len(generated), 0) if of is None else of
    return FeatureSets(generated, reference, Moments.from_features(reference), protocol, dealt)


def normal(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mmd(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate, Gretton et al. 2012, Eq. 3."""

    def mean_of_pairs(x: Tensor) -> Tensor:
        k = (x @ x.T / x.shape[1] + 1) ** 3
        return k[~torch.eye(len(x), dtype=torch.bool)].mean()

    return float(mean_of_pairs(a) + mean_of_pairs(b) - 2 * ((a @ b.T / a.shape[1] + 1) ** 3).mean())


def test_kid_on_whole_sets_is_the_unbiased_mmd() -> None:
    a, b = torch.relu(normal(50, 10, 1)), torch.relu(normal(50, 10, 2) + 0.3)
    found = kid(sets(a, b, kid_subset_size=50, kid_subsets=2)).value
    assert found == pytest.approx(mmd(a, b), rel=1e-9)


@pytest.mark.parametrize("sizes", ["dealt", "unequal"])
def test_the_variance_over_samples_is_the_jackknife_of_the_unbiased_mmd(
    sizes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "ENTRIES", 13 * 70)  # blocks that do not divide the sets
    a, b = torch.relu(normal(70, 6, 1)), torch.relu(normal(70, 6, 2) + 0.3)
    of = groups(70, 0) if sizes == "dealt" else torch.arange(70).sqrt().long()
    G = int(of.max()) + 1
    member = torch.nn.functional.one_hot(of).double()
    cross = ((a @ b.T / 6 + 1) ** 3).sum(1) @ member
    found = kernel._jackknife(kernel._within(a, member), cross, of.bincount().double(), len(b))
    without = torch.tensor([mmd(a[of != g], b) for g in range(G)], dtype=torch.float64)
    pairs = torch.tensor([[mmd(a[(of != g) & (of != h)], b) for h in range(G)] for g in range(G)]).double()
    assert found == pytest.approx(jackknife(without, mmd(a, b), pairs), rel=1e-6)


def test_the_variance_is_the_same_whichever_set_is_the_reference() -> None:
    a, b = normal(60, 6, 1), normal(60, 6, 2) + 0.3
    in_turn = torch.arange(60) % 20  # as the reference's groups are
    assert kernel._variance(sets(a, b, in_turn)) == pytest.approx(kernel._variance(sets(b, a, in_turn)), rel=1e-9)


def test_the_choice_of_subsets_adds_its_variance() -> None:
    a, b = normal(60, 6, 1), normal(60, 6, 2) + 0.3
    whole, part = (kid(sets(a, b, kid_subset_size=size, kid_subsets=5)) for size in (60, 20))
    rng = np.random.RandomState(0)  # as torch-fidelity draws
    subsets = [[torch.from_numpy(rng.choice(60, 20, replace=False)) for _ in (a, b)] for _ in range(5)]
    values = [mmd(a[i], b[j]) for i, j in subsets]
    assert part.value == pytest.approx(np.mean(values), rel=1e-9)
    assert whole.extra is not None
    assert part.extra is not None
    assert part.extra[0] == pytest.approx(whole.extra[0] + np.var(values) / 5, rel=1e-9)


def test_kid_of_equal_distributions_is_about_zero() -> None:
    values = [kid(sets(normal(100, 8, s), normal(100, 8, 50 + s), kid_subsets=1)).value for s in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


def test_kid_is_symmetric_and_negative_for_identical_sets() -> None:
    a, b = normal(80, 6, 1), normal(80, 6, 2) + 0.5
    assert kid(sets(a, b)).value == pytest.approx(kid(sets(b, a)).value, rel=1e-6)
    assert kid(sets(a, a.clone())).value < 0  # the unbiased estimate of 0 counts the diagonal of k(x, y) alone


def test_intervals_hold_the_mean_over_many_draws() -> None:
    subsets = {"kid_subset_size": 100, "kid_subsets": 30}
    found = [
        kid(sets(normal(200, 4, 1000 + s) + 0.3, normal(200, 4, s), groups(200, s), **subsets)) for s in range(100)
    ]
    mean = np.mean([estimate.value for estimate in found])
    widths = [estimate.half_width or math.nan for estimate in found]
    held = np.mean([abs(e.value - mean) <= width for e, width in zip(found, widths, strict=True)])
    print(f"{held:.0%} of intervals of ±{np.mean(widths):.4f} hold the mean {mean:.4f}")
    assert 0.88 <= held <= 1
