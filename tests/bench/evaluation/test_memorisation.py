"""Copies among samples: found where they are planted, not found among held-out images, figures against scipy."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from torch import Tensor

from bench.evaluation import memorisation
from bench.evaluation.errors import EvaluationError
from bench.evaluation.feature_sets import FeatureSets, Nearest
from bench.evaluation.features import Moments
from bench.evaluation.intervals import Estimate, groups
from bench.evaluation.memorisation import c_t, cell_of, cells, copying_alarm, near_share, nearest
from bench.evaluation.protocol import Protocol

DIM, CELLS = 8, 5


def sets(found: Nearest | None, keep: Tensor | None = None) -> FeatureSets:
    """Feature sets with these distances, their features left aside; of the samples in `keep` alone, if it is given."""
    if found is not None and keep is not None:
        found = Nearest(found.generated[keep], found.generated_cells[keep], found.held_out, found.held_out_cells)
    n = 30 if found is None else len(found.generated)
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=n, chunk=1)
    x = torch.zeros(n, 2)
    return FeatureSets(x, x, Moments.from_features(x), protocol, groups(n, 0), nearest=found)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def mixture(n: int, seed: int) -> Tensor:
    """n points of five Gaussians of unequal sizes in 8 dimensions."""
    centres = 6 * torch.randn(5, DIM, generator=torch.Generator().manual_seed(99))
    g = torch.Generator().manual_seed(seed)
    which = torch.multinomial(torch.tensor([0.4, 0.2, 0.2, 0.15, 0.05]), n, replacement=True, generator=g)
    return centres[which] + torch.randn(n, DIM, generator=g)


def against(training: Tensor, centroids: Tensor, generated: Tensor, held_out: Tensor) -> FeatureSets:
    parts = [(nearest(x, training)[0], cell_of(x, centroids)) for x in (generated, held_out)]
    return sets(Nearest(*parts[0], *parts[1]))


@pytest.fixture(scope="module")
def training() -> Tensor:
    return mixture(3000, seed=1)


@pytest.fixture(scope="module")
def centroids(training: Tensor) -> Tensor:
    return cells(training, CELLS, seed=0)


def random_distances(ties: bool) -> Nearest:
    """Four cells: two ordinary ones, one with few samples, one without held-out images."""
    random = np.random.RandomState(4)
    generated, held_out = random.gamma(3, size=330) * 0.9, random.gamma(3, size=400)
    if ties:
        generated, held_out = generated.round(), held_out.round()
    own, others = random.choice(4, 330, p=[0.5, 0.3, 0.03, 0.17]), random.choice(3, 400, p=[0.3, 0.5, 0.2])
    return Nearest(*(torch.from_numpy(x) for x in (np.float32(generated), own, np.float32(held_out), others)))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_nearest_is_that_of_all_float64_distances(offset: float, training: Tensor) -> None:
    x, t = mixture(205, seed=2) + offset, training + offset
    every = torch.cdist(x.double(), t.double(), compute_mode="donot_use_mm_for_euclid_dist")
    distance, index = nearest(x, t)
    torch.testing.assert_close(distance, every.min(1).values.float(), rtol=1e-6, atol=0)
    assert torch.equal(index, every.argmin(1))


def test_a_copy_is_at_distance_zero_from_an_equal_image(training: Tensor) -> None:
    t = torch.cat([training + 300, training[:50] + 300, training[100:101] + 300 + 1e-4])  # equal ones, nearly equal one
    chosen = torch.tensor([0, 7, 49, 100, 2999, 3050])
    distance, index = nearest(t[chosen], t)
    assert distance.tolist() == [0] * 6
    assert torch.equal(t[index], t[chosen])


def test_nearest_of_fewer_training_images_than_candidates() -> None:
    distance, index = nearest(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.5]]))
    assert (distance.tolist(), index.tolist()) == ([1, 0.5], [0, 1])


def test_cells_are_the_clusters_and_the_seed_fixes_them(training: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    centres = 50 * torch.eye(6)
    x = centres.repeat(100, 1) + torch.randn(600, 6, generator=torch.Generator().manual_seed(0))
    found = cell_of(x, cells(x, 6, seed=3)).view(100, 6)
    assert torch.equal(found, found[:1].expand(100, 6))
    assert sorted(found[0].tolist()) == list(range(6))
    monkeypatch.setattr(memorisation, "FITTED", 500)
    first = cells(training, 7, seed=0)
    assert (first.dtype, tuple(first.shape)) == (torch.float32, (7, DIM))
    assert torch.equal(first, cells(training, 7, seed=0))
    assert not torch.equal(first, cells(training, 7, seed=1))  # another part of the training images


@pytest.mark.parametrize("k", [0, 31])
def test_more_cells_than_images_are_refused(k: int) -> None:
    with pytest.raises(EvaluationError, match=f"cells={k} is not from 1 to the 30 training images"):
        cells(torch.zeros(30, 2), k, seed=0)


@pytest.mark.parametrize("ties", [False, True])
def test_c_t_is_the_weighted_mean_of_scipys_mann_whitney_tests(ties: bool) -> None:
    found = random_distances(ties)
    weights, scores = [], []
    for cell in (0, 1):  # of cell 2 there are fewer than 20 samples, of cell 3 no held-out images
        x, y = found.generated[found.generated_cells == cell], found.held_out[found.held_out_cells == cell]
        m, n = len(x), len(y)
        test = mannwhitneyu(x.double(), y.double(), alternative="less", method="asymptotic", use_continuity=False)
        Z = (test.statistic - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)
        if not ties:  # for which scipy corrects the variance, and the paper does not
            assert test.pvalue == pytest.approx(norm.cdf(Z), rel=1e-9)
        scores.append(Z)
        weights.append(n / len(found.held_out))
    assert int((found.generated_cells == 2).sum()) < 20
    assert value(c_t(sets(found))) == pytest.approx(float(np.average(scores, weights=weights)), rel=1e-12)


def test_intervals_are_those_of_removing_each_group() -> None:
    found = random_distances(ties=True)
    dealt = groups(330, 0)
    for metric in (c_t, near_share):
        estimate = metric(sets(found))
        assert estimate is not None
        assert estimate.without is not None
        expected = [value(metric(sets(found, keep=dealt != g))) for g in range(20)]
        np.testing.assert_allclose(estimate.without.numpy(), expected, rtol=1e-12)


def test_held_out_images_do_not_raise_the_alarm(training: Tensor, centroids: Tensor) -> None:
    scores, shares, alarms = [], [], 0
    for seed in range(200):
        found = against(training, centroids, mixture(400, 1000 + seed), mixture(300, 5000 + seed))
        scores.append(value(c_t(found)))
        shares.append(value(near_share(found)))
        alarms += copying_alarm(found) is not None
    assert alarms <= 2  # each of two tests is raised by chance once in 740 times
    # C_T of independent cells is a mean of standard Gaussians: its deviation is sqrt(sum of squared weights)
    sizes = torch.bincount(cell_of(mixture(20_000, 3), centroids), minlength=CELLS) / 20_000
    deviation = float(sizes.square().sum().sqrt())
    assert abs(np.mean(scores)) < 4 * deviation / math.sqrt(200)
    assert np.std(scores) == pytest.approx(deviation, rel=0.2)
    assert np.mean(shares) == pytest.approx(3 / 301, rel=0.2)  # three of 300 are the nearest 1%


@pytest.mark.parametrize("rank", [1, 3])
def test_the_chance_of_near_samples_is_that_of_all_orders(rank: int) -> None:
    N, M = 6, 5
    orders = list(itertools.combinations(range(N + M), M))  # the places of the held-out ones, all equally likely
    below = [places[rank - 1] - (rank - 1) for places in orders]  # samples before the rank-th of them
    for count in range(N + 1):
        expected = sum(found >= count for found in below) / len(orders)
        assert memorisation._chance(count, N, rank, M) == pytest.approx(expected, rel=1e-9)


def test_near_is_strictly_nearer_than_99_percent() -> None:
    held_out = torch.arange(1.0, 301).flip(0)  # the nearest 1% are at 1, 2 and 3
    found = Nearest(torch.tensor([0.5, 2.9, 3.0, 3.1] * 10), torch.zeros(40).long(), held_out, torch.zeros(300).long())
    assert value(near_share(sets(found))) == 0.5


def test_copies_are_far_below_zero_and_blurred_samples_far_above(training: Tensor, centroids: Tensor) -> None:
    held_out = mixture(1000, 7)
    noise = torch.randn(1000, DIM, generator=torch.Generator().manual_seed(8))
    copies = against(training, centroids, training[:1000] + 0.1 * noise, held_out)
    assert value(c_t(copies)) < -10
    assert value(near_share(copies)) > 0.9
    alarm = copying_alarm(copies)
    assert alarm is not None
    assert "of the samples (1% expected) are nearer to a training image than 99% of held-out images" in alarm
    assert "; C_T is -" in alarm
    far = against(training, centroids, mixture(1000, 9) + 0.7 * noise, held_out)
    assert value(c_t(far)) > 5
    assert copying_alarm(far) is None


def test_a_few_copies_among_samples_that_are_too_far_raise_the_alarm(training: Tensor, centroids: Tensor) -> None:
    far = mixture(1000, 9) + 0.7 * torch.randn(1000, DIM, generator=torch.Generator().manual_seed(8))
    far[:50] = training[:50]
    found = against(training, centroids, far, mixture(1000, 7))
    assert value(c_t(found)) > 3  # which alone would speak of underfitting
    assert value(near_share(found)) == pytest.approx(0.05, abs=0.003)
    alarm = copying_alarm(found)
    assert alarm is not None
    assert "\n" not in alarm
    assert alarm.startswith("possible copies: 5.")


def test_samples_that_are_merely_more_typical_lower_c_t_and_raise_no_alarm() -> None:
    held_out = torch.linspace(1, 2, 1000)
    typical = torch.linspace(1, 1.7, 1000)  # fewer far ones, and the nearest 1% still about 1%
    found = sets(Nearest(typical, torch.zeros(1000).long(), held_out, torch.zeros(1000).long()))
    assert value(c_t(found)) < -3
    assert value(near_share(found)) < 0.02
    assert copying_alarm(found) is None


def test_fewer_than_twenty_samples_a_cell_have_no_c_t_but_can_raise_the_alarm() -> None:
    distances = torch.linspace(1, 2, 500)
    found = sets(Nearest(torch.zeros(30), torch.arange(30) % 2, distances, torch.arange(500) % 2))
    assert c_t(found) is None
    alarm = copying_alarm(found)
    assert alarm is not None
    assert "100.0% of the samples (1% expected) are nearer" in alarm
    assert "C_T" not in alarm


def test_without_held_out_images_there_is_no_figure() -> None:
    assert [function(sets(None)) for function in (c_t, near_share, copying_alarm)] == [None] * 3
