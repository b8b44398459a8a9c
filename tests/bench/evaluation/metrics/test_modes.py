"""Modes against planted ones: dropped, uneven, exact Gaussians; and refusals that name the mode."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.feature_sets import FeatureSets, ModeCount
from bench.evaluation.metrics.intervals import Estimate, groups
from bench.evaluation.metrics.modes import by_centres, by_classifier, high_quality, mode_kl, modes_found
from bench.evaluation.protocol import Protocol

METRICS = (modes_found, mode_kl, high_quality)


def sets(assigned: Tensor, probabilities: Tensor | None, keep: Tensor | None = None) -> FeatureSets:
    """Feature sets of samples of these modes, their features left aside; of those in `keep` alone, if it is given."""
    kept = assigned if keep is None else assigned[keep]
    n = len(kept)
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=n, chunk=1)
    x = torch.zeros(n, 2)
    modes = None if probabilities is None else ModeCount(kept, probabilities.double())
    return FeatureSets(x, x, Moments.from_features(x), protocol, groups(n, 0), modes=modes)


def uniform(K: int) -> Tensor:
    return torch.full((K,), 1 / K, dtype=torch.float64)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_three_channels_of_digits_are_a_number_of_three_digits() -> None:
    digits = torch.tensor([[0, 0, 0], [0, 0, 7], [4, 2, 1], [9, 9, 9]])
    logits = torch.nn.functional.one_hot(digits, 10).flatten(1) * 3.0 - 1
    assert by_classifier(logits, 10).tolist() == [0, 7, 421, 999]
    assert by_classifier(logits[:, :10], 10).tolist() == [0, 0, 4, 9]
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    assert by_classifier(torch.nn.functional.one_hot(every, 3).flatten(1).float(), 3).tolist() == list(range(81))


def test_logits_that_are_not_of_whole_channels_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"logits of shape \(4, 25\) are not N x \(channels \* 10 classes\)"):
        by_classifier(torch.zeros(4, 25), 10)


def test_the_nearest_centre_counts_within_three_deviations() -> None:
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    points = torch.tensor([[0.29, 0.0], [0.31, 0.0], [0.8, 0.2], [1.0, -0.31], [0.5, 0.0], [math.nan, 0.0]])
    assert by_centres(points, centres, 0.1).tolist() == [0, -1, 1, -1, -1, -1]
    assert by_centres(points, centres, 0.2).tolist() == [0, 0, 1, 1, 0, -1]  # balls overlap: the nearer one


def test_exact_gaussians_are_as_often_within_three_deviations_as_theory_says() -> None:
    g = torch.Generator().manual_seed(0)
    grid = torch.cartesian_prod(torch.arange(-4.0, 5, 2), torch.arange(-4.0, 5, 2))
    K, n = len(grid), 100_000
    which = torch.randint(K, (n,), generator=g)
    assigned = by_centres(grid[which] + 0.05 * torch.randn(n, 2, generator=g), grid, 0.05)
    assert torch.equal(assigned[assigned >= 0], which[assigned >= 0])
    found = sets(assigned, uniform(K))
    p = 1 - math.exp(-9 / 2)  # of a two-dimensional Gaussian, within 3 deviations of its mean
    assert value(high_quality(found)) == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))
    assert value(modes_found(found)) == K
    shown = int((assigned >= 0).sum())
    assert 2 * shown * value(mode_kl(found)) == pytest.approx(K - 1, abs=4 * math.sqrt(2 * (K - 1)))  # chi squared


@pytest.mark.parametrize("m", [1, 7, 25])
def test_dropped_modes_give_exact_figures(m: int) -> None:
    found = sets(torch.arange(m).repeat(40), uniform(25))
    assert value(modes_found(found)) == m
    assert value(mode_kl(found)) == pytest.approx(math.log(25 / m), abs=1e-12)
    assert value(high_quality(found)) == 1


def test_kl_is_from_the_datas_own_probabilities_and_samples_come_first() -> None:
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    even = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    assert value(mode_kl(sets(even, p))) == pytest.approx(0, abs=1e-12)
    q = torch.tensor([0] * 20 + [1] * 80 + [-1] * 60)  # mode 2 missing: KL(p || q) would be infinite
    expected = 0.2 * math.log(0.2 / 0.5) + 0.8 * math.log(0.8 / 0.3)
    assert value(mode_kl(sets(q, p))) == pytest.approx(expected, rel=1e-12)
    assert value(high_quality(sets(q, p))) == 100 / 160


def test_intervals_are_those_of_removing_each_group() -> None:
    assigned = torch.from_numpy(np.random.RandomState(3).choice(41, 230, p=[0.3] + [0.7 / 40] * 40)) - 1
    p = torch.linspace(1, 3, 40).double()
    p = p / p.sum()
    dealt = groups(len(assigned), 0)
    found = mode_kl(sets(assigned, p))
    assert found is not None
    assert found.without is not None
    assert found.pairs is not None
    expected = [value(mode_kl(sets(assigned, p, keep=dealt != g))) for g in range(20)]
    np.testing.assert_allclose(found.without.numpy(), expected, rtol=1e-12)
    for g, h in ((0, 1), (4, 19)):
        both = value(mode_kl(sets(assigned, p, keep=(dealt != g) & (dealt != h))))
        assert float(found.pairs[g, h]) == pytest.approx(both, rel=1e-12)


def ends(metric: Callable[[FeatureSets], Estimate | None], found: FeatureSets) -> tuple[float, float]:
    estimate = metric(found)
    assert estimate is not None
    assert estimate.interval is not None
    return estimate.interval


def test_intervals_never_leave_what_is_possible() -> None:
    every = sets(torch.arange(1000).repeat(5), uniform(1000))
    assert ends(modes_found, every)[1] == 1000
    assert ends(mode_kl, every)[0] == 0
    assert ends(high_quality, every)[1] == 1
    assert 0.999 < ends(high_quality, every)[0] < 1  # none of 5,000 missing leaves room for a few of more
    low, high = ends(modes_found, sets(torch.zeros(200).long(), uniform(3)))
    assert 0 <= low <= 1 < high < 3


def test_the_modes_interval_is_as_long_as_the_closed_form_says() -> None:
    """Of K equal modes and n samples: the occupancy problem's deviation, and half a mode for the steps."""
    K, n = 1000, 2000
    one, two = (1 - 1 / K) ** n, (1 - 2 / K) ** n  # that a mode, that two modes are not shown
    deviation = math.sqrt(K * one + K * (K - 1) * two - (K * one) ** 2)
    lengths = []
    for seed in range(20):
        low, high = ends(modes_found, sets(torch.from_numpy(np.random.RandomState(seed).choice(K, n)), uniform(K)))
        lengths.append(high - low)
    assert np.mean(lengths) == pytest.approx(2 * 1.96 * deviation + 1, rel=0.05)


def test_samples_of_no_mode_have_no_divergence() -> None:
    found = sets(torch.full((30,), -1), uniform(8))
    assert (value(modes_found(found)), value(high_quality(found))) == (0, 0)
    assert mode_kl(found) is None


def test_data_without_modes_have_no_figures() -> None:
    assert [metric(sets(torch.zeros(30).long(), None)) for metric in METRICS] == [None] * 3


def test_a_mode_that_the_data_never_shows_is_refused() -> None:
    with pytest.raises(EvaluationError, match="mode 1 has no probability in the data") as refusal:
        mode_kl(sets(torch.zeros(30).long(), torch.tensor([0.5, 0.0, 0.5])))
    assert "\n" not in str(refusal.value)
