"""Copies among samples: found where they are planted, not found among held-out images, figures against scipy."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, nbinom, norm
from threadpoolctl import threadpool_limits
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics import memorisation
from bench.evaluation.metrics.feature_sets import FeatureSets, Nearest
from bench.evaluation.metrics.intervals import Estimate, groups
from bench.evaluation.metrics.memorisation import c_t, cell_of, cells, copying_alarm, near_copies, nearest
from bench.evaluation.protocol import Protocol

DIM, CELLS = 8, 5
WEIGHTS = (0.2, 0.4, 0.2, 0.15, 0.05)


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


def mixture(n: int, seed: int, weights: tuple[float, ...] = WEIGHTS) -> Tensor:
    """n points of five Gaussians of unequal sizes in 8 dimensions, the first of which is denser."""
    centres = 6 * torch.randn(5, DIM, generator=torch.Generator().manual_seed(99))
    g = torch.Generator().manual_seed(seed)
    which = torch.multinomial(torch.tensor(weights), n, replacement=True, generator=g)
    return centres[which] + torch.randn(n, DIM, generator=g) * torch.where(which == 0, 0.5, 1.0)[:, None]


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


def test_cells_do_not_depend_on_the_number_of_threads(training: Tensor) -> None:
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            found.append(cells(training, 7, seed=0))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


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
    with pytest.raises(EvaluationError, match=f"cells={k} must lie between 1 and the 30 training images"):
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
    estimate = c_t(sets(found))
    assert estimate is not None
    assert estimate.without is not None
    expected = [value(c_t(sets(found, keep=dealt != g))) for g in range(20)]
    np.testing.assert_allclose(estimate.without.numpy(), expected, rtol=1e-12)
    left = []
    dealt = groups(400, 0)
    for g in range(20):
        keep = dealt != g
        others = Nearest(found.generated, found.generated_cells, found.held_out[keep], found.held_out_cells[keep])
        left.append(value(c_t(sets(others))))
    assert estimate.extra == (pytest.approx(19 / 20 * 20 * np.var(left), rel=1e-9), 19)


@pytest.mark.parametrize("count", [0, 3, 40])
def test_the_interval_of_one_cell_inverts_the_chance_of_the_count(count: int) -> None:
    """Negative binomial: the number of samples before the r-th of the held-out images, at odds of theta N / M."""
    M, N, r = 100_000, 2000, 1000
    generated = torch.where(torch.arange(N) < count, 0.5, 2000.0)
    found = near_copies(
        sets(Nearest(generated, torch.zeros(N).long(), torch.arange(1.0, M + 1), torch.zeros(M).long()))
    )
    assert found is not None
    assert found.interval is not None
    low, high = found.interval
    assert found.value == pytest.approx(count / 20, rel=1e-4)
    chance = nbinom(r, 1 / (1 + high * N / (M + 1)))
    assert chance.cdf(count) == pytest.approx(0.025, rel=1e-6)
    assert low == 0 if count == 0 else nbinom(r, 1 / (1 + low * N / (M + 1))).sf(count - 1) == pytest.approx(0.025)


@pytest.mark.parametrize("scale", [1.0, 1.3, 2.0])
def test_intervals_hold_for_samples_on_and_off_the_data(scale: float) -> None:
    random = np.random.RandomState(5)
    found: dict[str, list[Estimate]] = {"c_t": [], "near_copies": []}
    for _ in range(150):
        parts = [random.gamma(8, s, 1000) for s in (scale, 1.0)]
        cells_of = [torch.from_numpy(random.choice(3, 1000)) for _ in parts]
        x, y = (torch.from_numpy(part).float() for part in parts)
        compared = sets(Nearest(x, cells_of[0], y, cells_of[1]))
        for metric in (c_t, near_copies):
            estimate = metric(compared)
            assert estimate is not None
            found[metric.__name__].append(estimate)
    for estimates in found.values():
        truth = np.mean([estimate.value for estimate in estimates])
        held = [low <= truth <= high for low, high in (e.interval for e in estimates if e.interval)]
        assert len(held) == 150
        assert np.mean(held) > 0.9


@pytest.mark.parametrize("duplicates", [0, 9])
def test_held_out_images_do_not_raise_the_alarm(duplicates: int, training: Tensor, centroids: Tensor) -> None:
    """Nor if 3% of them, and of the samples, are also in the training split."""
    scores, ratios, alarms = [], [], 0
    for seed in range(200):
        generated, held_out = mixture(400, 1000 + seed), mixture(300, 5000 + seed)
        first = 10 * seed
        held_out[:duplicates] = training[first : first + duplicates]
        generated[: duplicates * 4 // 3] = training[first : first + duplicates * 4 // 3]
        found = against(training, centroids, generated, held_out)
        scores.append(value(c_t(found)))
        ratios.append(value(near_copies(found)))
        alarms += copying_alarm(found) is not None
    assert alarms <= 2  # by chance once in 740 times
    # C_T of independent cells is a mean of standard Gaussians: its deviation is sqrt(sum of squared weights)
    sizes = torch.bincount(cell_of(mixture(20_000, 3), centroids), minlength=CELLS) / 20_000
    deviation = float(sizes.square().sum().sqrt())
    assert abs(np.mean(scores)) < 4 * deviation / math.sqrt(200)
    assert np.std(scores) == pytest.approx(deviation, rel=0.2)
    assert np.mean(ratios) == pytest.approx(1, abs=0.2)


def test_the_chance_of_near_samples_is_that_of_all_orders() -> None:
    """Of two cells; in a third there is nothing held out."""

    def before(N: int, M: int, rank: int) -> np.ndarray:
        orders = itertools.combinations(range(N + M), M)  # the places of the held-out ones, all equally likely
        below = [places[rank - 1] - (rank - 1) for places in orders]  # samples before the rank-th of them
        return np.bincount(below, minlength=N + 1) / len(below)

    expected = np.convolve(before(6, 5, 3), before(3, 4, 1))
    for count in range(10):
        found = memorisation._chance(count, torch.tensor([6, 3, 2]), torch.tensor([3, 1, 0]), torch.tensor([5, 4, 0]))
        assert found == pytest.approx(expected[count:].sum(), rel=1e-9)


@pytest.mark.parametrize(("M", "rank"), [(16, 1), (199, 1), (300, 3)])
def test_near_is_within_the_rank_th_of_the_cell_and_expected_by_rank(M: int, rank: int) -> None:
    """The nearest 1% of M are at 1 .. rank, ties are near, and a cell without held-out images is left out."""
    distances = torch.tensor([0.5, rank - 0.1, rank, rank + 0.1] * 10 + [0.0] * 7)
    own = torch.tensor([1] * 40 + [0] * 7)
    found = sets(Nearest(distances, own, torch.arange(1.0, M + 1).flip(0), torch.ones(M).long()))
    assert value(near_copies(found)) == pytest.approx(0.75 * (M + 1) / rank)
    assert (copying_alarm(found) or "").startswith(
        f"possible copies: 30 of 47 samples are as near to a training image as only the nearest 1% of held-out images "
        f"are, where {40 * rank / (M + 1):.1f} are expected; C_T is "
    )
    empty = sets(found.nearest, keep=own == 0)
    assert (near_copies(empty), copying_alarm(empty)) == (None, None)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_many_samples_of_the_densest_mode_are_no_copies(share: float, training: Tensor, centroids: Tensor) -> None:
    weights = (share, *4 * [(1 - share) / 4])
    near, ratios, alarms = [], [], 0
    for seed in range(20):
        found = against(training, centroids, mixture(1000, seed + 10, weights), mixture(1000, seed + 50))
        alarms += copying_alarm(found) is not None
        ratios.append(value(near_copies(found)))
        assert found.nearest is not None
        near.append((found.nearest.generated < found.nearest.held_out.kthvalue(10).values).double().mean())
    assert alarms <= 1
    assert np.mean(ratios) == pytest.approx(1, abs=0.3)
    assert np.mean(near) > 0.02  # under one threshold for all cells, where 0.01 is expected


def test_copies_show_among_held_out_images_that_are_copies_too(training: Tensor, centroids: Tensor) -> None:
    held_out, samples = mixture(1000, 7), mixture(1000, 9)
    held_out[:30], samples[:30] = training[:30], training[30:60]
    assert copying_alarm(against(training, centroids, samples, held_out)) is None
    samples[:100] = training[100:200]
    found = against(training, centroids, samples, held_out)
    assert value(near_copies(found)) > 2
    assert copying_alarm(found) is not None


def test_copies_are_far_below_zero_and_blurred_samples_far_above(training: Tensor, centroids: Tensor) -> None:
    held_out = mixture(1000, 7)
    noise = torch.randn(1000, DIM, generator=torch.Generator().manual_seed(8))
    copies = against(training, centroids, training[:1000] + 0.1 * noise, held_out)
    assert value(c_t(copies)) < -10
    assert value(near_copies(copies)) > 50
    assert "; C_T is -" in (copying_alarm(copies) or "")
    far = against(training, centroids, mixture(1000, 9) + 0.7 * noise, held_out)
    assert value(c_t(far)) > 5
    assert copying_alarm(far) is None


def test_a_few_copies_among_samples_that_are_too_far_raise_the_alarm(training: Tensor, centroids: Tensor) -> None:
    far = mixture(1000, 9) + 0.7 * torch.randn(1000, DIM, generator=torch.Generator().manual_seed(8))
    far[:50] = training[:50]
    found = against(training, centroids, far, mixture(1000, 7))
    assert value(c_t(found)) > 3  # which alone would speak of underfitting
    assert value(near_copies(found)) > 4
    assert (copying_alarm(found) or "").startswith("possible copies: 5")


def test_samples_that_are_merely_more_typical_lower_c_t_and_raise_no_alarm() -> None:
    held_out = torch.linspace(1, 2, 1000)
    typical = torch.linspace(1, 1.7, 1000)  # fewer far ones, and the nearest 1% still about 1%
    found = sets(Nearest(typical, torch.zeros(1000).long(), held_out, torch.zeros(1000).long()))
    assert value(c_t(found)) < -3
    assert value(near_copies(found)) < 2
    assert copying_alarm(found) is None


def test_fewer_than_twenty_samples_a_cell_have_no_c_t_but_can_raise_the_alarm() -> None:
    distances = torch.linspace(1, 2, 500)
    found = sets(Nearest(torch.zeros(30), torch.arange(30) % 2, distances, torch.arange(500) % 2))
    assert c_t(found) is None
    alarm = copying_alarm(found)
    assert alarm is not None
    assert "30 of 30 samples" in alarm
    assert "C_T" not in alarm


def test_without_held_out_images_there_is_no_figure() -> None:
    assert [function(sets(None)) for function in (c_t, near_copies, copying_alarm)] == [None] * 3
