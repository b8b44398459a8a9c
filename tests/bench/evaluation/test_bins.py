"""Coverage by bins of the precise samples: against loops, in closed form, and what it must not depend on."""

import math

import pytest
import torch
from torch import Tensor

from bench.evaluation import FeatureSets, Moments, groups
from bench.evaluation.bins import bin_coverage, inside, partition
from bench.evaluation.feature_sets import Bins
from bench.evaluation.protocol import Protocol

CLUSTERS = 10


def clusters(n: int, kept: int, seed: int) -> Tensor:
    """n points of Gaussians around the first `kept` of ten far corners, evenly: float32 n x 10."""
    generator = torch.Generator().manual_seed(seed)
    centres = 50 * torch.eye(CLUSTERS)
    return centres[torch.arange(n) % kept] + torch.randn(n, CLUSTERS, generator=generator)


def feature_sets(generated: Tensor, reference: Tensor, bins: Bins | None) -> FeatureSets:
    protocol = Protocol(
        data="d", extractor="e", extractor_digest="x", reference_digest="y", samples=len(generated), chunk=50
    )
    moments = Moments.from_features(reference)
    return FeatureSets(generated, reference, moments, protocol, groups(len(generated), 0), bins=bins)


@pytest.fixture(scope="module")
def real() -> Tensor:
    return clusters(1000, CLUSTERS, seed=0)


@pytest.fixture(scope="module")
def by_cluster() -> Bins:
    """A bin for each of the ten corners."""
    return Bins(50 * torch.eye(CLUSTERS), torch.full((CLUSTERS,), 0.1).double())


def value(generated: Tensor, reference: Tensor, bins: Bins) -> float:
    estimate = bin_coverage(feature_sets(generated, reference, bins))
    assert estimate is not None
    return estimate.value


def test_precise_samples_are_those_that_a_loop_finds(real: Tensor) -> None:
    x, y = real[:60], torch.cat((clusters(30, CLUSTERS, 1), clusters(30, CLUSTERS, 2) * 1.1))
    radii = [sorted(math.dist(a.tolist(), b.tolist()) for j, b in enumerate(x) if j != i)[2] for i, a in enumerate(x)]
    expected = [any(math.dist(p.tolist(), a.tolist()) <= r for a, r in zip(x, radii, strict=True)) for p in y]
    assert inside(y, x, 3).tolist() == expected
    assert inside(x, x, 3).all(), "a reference point lies in its own ball"


@pytest.mark.parametrize("kept", [1, 5, 7, 9, 10])
def test_it_is_the_share_of_the_modes(real: Tensor, by_cluster: Bins, kept: int) -> None:
    samples = clusters(420, CLUSTERS, 1)[torch.arange(420) % CLUSTERS < kept]
    assert value(samples, real, by_cluster) == pytest.approx(kept / CLUSTERS, abs=0.03)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_samples_outside_the_data_change_nothing(real: Tensor, by_cluster: Bins, share: float) -> None:
    samples = clusters(500, 5, 1)
    bad = round(share * len(samples))
    spoiled = torch.cat((samples[bad:], 1e3 * torch.ones(bad, CLUSTERS)))
    blends = torch.cat((samples[bad:], (clusters(bad, 10, 2) + clusters(bad, 10, 3).roll(5, 0)) / 2))
    for other in (spoiled, blends):
        assert value(other, real, by_cluster) == pytest.approx(value(samples, real, by_cluster), abs=0.02)


def test_samples_none_of_which_is_precise_cover_nothing(real: Tensor, by_cluster: Bins) -> None:
    assert value(torch.full((40, CLUSTERS), 1e3), real, by_cluster) == 0


def test_without_is_the_figure_computed_again(real: Tensor, by_cluster: Bins) -> None:
    samples, real = clusters(100, 7, 1), real[:200]
    sets = feature_sets(samples, real, by_cluster)
    estimate = bin_coverage(sets)
    assert estimate is not None
    assert estimate.without is not None
    again = [value(samples[sets.groups != g], real, by_cluster) for g in range(20)]
    assert estimate.without.tolist() == pytest.approx(again, abs=1e-12)


def test_it_depends_on_no_unit_and_no_order(real: Tensor) -> None:
    samples, real = clusters(200, 7, 1), real[:400]
    plain = value(samples, real, partition(real))
    assert value(samples.flip(0), real, partition(real)) == pytest.approx(plain)
    assert value(3 * samples, 3 * real, partition(3 * real)) == pytest.approx(plain, abs=0.02)


def test_bins_hold_twenty_images_or_more_and_all_the_mass(real: Tensor) -> None:
    bins = partition(real)
    assert len(bins.centroids) == 50
    assert bins.shares.sum() == pytest.approx(1)
    assert len(partition(real[:19]).centroids) == 1


def test_points_without_bins_have_no_figure(real: Tensor) -> None:
    assert bin_coverage(feature_sets(real[:50], real, None)) is None


def test_two_equal_draws_share_less_than_all_by_the_noise_of_counts(real: Tensor) -> None:
    """Of n samples in B even bins, E |q - p| is about sqrt(2 p (1 - p) / (pi n)) a bin."""
    B, n = CLUSTERS, 400
    bins = Bins(50 * torch.eye(B), torch.full((B,), 1 / B).double())
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(12):
        chosen = torch.randint(B, (n,), generator=generator)
        found.append(value(50 * torch.eye(B)[chosen] + 0.5 * torch.randn(n, B, generator=generator), real[:100], bins))
    expected = 1 - B * math.sqrt(2 * 0.1 * 0.9 / (math.pi * n)) / 2
    assert sum(found) / len(found) == pytest.approx(expected, abs=0.012)
