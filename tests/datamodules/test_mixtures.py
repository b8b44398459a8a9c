"""The points have the density that centres and deviation say, at the scale of the papers, and stay within [-1, 1]."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from datamodules.base import DataError
from datamodules.mixtures import LARGEST_DRAW, Grid25, Mixture, Ring8

DIGESTS = {
    Grid25: (
        "1f703505ecdf1e0b7df2762b72b36e512922b5427c377dcc02739184a58fcbfc",
        "fd0d5983184856434f11c87cafab88d83d8019466276ea1b5dfb3c759ef3f884",
    ),
    Ring8: (
        "d0e4f18a1cf434249dab17f239508fc7de8e43a425599695b01eb764b51dd979",
        "7a1a321b489fb279c40cbf4833a68388323b39134a79401b8b112366e6ed6695",
    ),
}
both = pytest.mark.parametrize("mixture", [Grid25, Ring8])


@both
def test_the_draw_never_changes_and_does_not_depend_on_the_seed(mixture: type[Mixture]) -> None:
    for seed in (0, 7):
        data = mixture(seed=seed)
        data.prepare_data()
        data.setup()
        assert (data.digest("train"), data.digest("test")) == DIGESTS[mixture]
        assert data.image_shape == (2, 1, 1)


@both
def test_both_splits_have_the_stated_density(mixture: type[Mixture]) -> None:
    data = mixture()
    data.setup()
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        assert chisquare(labels.bincount()).pvalue > 0.001  # equally likely components
        residual = (images.flatten(1).double() - data.centres[labels].double()) / data.deviation
        for axis in residual.unbind(1):
            assert kstest(axis.numpy(), "norm").pvalue > 0.001
        # Isotropic: the squared distance is chi-square with 2 degrees of freedom, so this is uniform.
        assert kstest(torch.exp(-residual.square().sum(1) / 2).numpy(), "uniform").pvalue > 0.001
        for k in range(len(data.centres)):
            assert kstest(residual[labels == k].flatten().numpy(), "norm").pvalue > 0.0001


@both
def test_the_nearest_centre_of_a_point_is_its_label(mixture: type[Mixture]) -> None:
    data = mixture()
    data.setup()
    assert torch.equal(torch.cdist(data.test_images.flatten(1), data.centres).argmin(1), data.test_labels)


@both
def test_no_point_is_in_both_splits(mixture: type[Mixture]) -> None:
    data = mixture()
    data.setup()
    train, test = ({point.tobytes() for point in images.numpy()} for images in (data.train_images, data.test_images))
    assert train.isdisjoint(test)


@both
def test_no_draw_can_leave_the_range(mixture: type[Mixture]) -> None:
    assert mixture.centres.abs().max() + LARGEST_DRAW * mixture.deviation < 1
    data = mixture()
    data.setup()
    for images in (data.train_images, data.test_images):
        assert images.dtype == torch.float32
        assert images.abs().max() < 1


def test_the_largest_normal_number_is_drawn_where_the_polar_methods_points_come_closest_to_zero() -> None:
    tempering = (
        lambda word: word >> 11,
        lambda word: word << 7 & 0x9D2C5680,
        lambda word: word << 15 & 0xEFC60000,
        lambda word: word >> 18,
    )

    def untempered(word: int) -> int:
        """The state's entry for which the Mersenne Twister puts out `word`."""
        for step in reversed(tempering):
            result = word
            for _ in range(32):  # each round settles further bits of: result ^ step(result) = word
                result = word ^ step(result)
            word = result
        return word

    # u = 2 (a 2^26 + b) / 2^53 - 1 from the upper 27 bits of one word and the upper 26 of the next: 0, then 2^-52.
    words = [1 << 31, 0, 1 << 31, 1 << 6]
    rng = np.random.RandomState()
    rng.set_state(("MT19937", np.array([untempered(word) for word in words] + [0] * 620, dtype=np.uint32), 0, 0, 0.0))
    assert rng.standard_normal() == pytest.approx(LARGEST_DRAW, rel=1e-12)


def test_the_ratio_of_spacing_to_deviation_is_the_papers() -> None:
    # Lin et al. 2018: the grid's step is 2 and its deviation 0.05; the ring's radius is 1 and its deviation 0.01.
    grid = torch.pdist(Grid25.centres.double()).min().item()
    assert grid / Grid25.deviation == pytest.approx(2 / 0.05, rel=1e-6)
    assert Ring8.centres.double().norm(dim=1).numpy() / Ring8.deviation == pytest.approx(np.full(8, 100.0), rel=1e-6)
    ring = torch.pdist(Ring8.centres.double()).min().item()
    assert ring / Ring8.deviation == pytest.approx(2 * math.sin(math.pi / 8) / 0.01, rel=1e-6)


def test_a_component_stands_where_its_number_says() -> None:
    assert Grid25.centres.reshape(5, 5, 2)[1, 3].tolist() == pytest.approx([-0.4, 0.4])
    assert len(Grid25.centres.unique(dim=0)) == 25
    angles = torch.atan2(Ring8.centres[:, 1], Ring8.centres[:, 0]) % (2 * math.pi)
    assert angles.numpy() == pytest.approx(np.arange(8) * math.pi / 4, abs=1e-6)


@both
def test_a_root_is_refused(mixture: type[Mixture]) -> None:
    with pytest.raises(
        DataError, match="^data.root=/points is not used, because the points are drawn .*; leave it out.$"
    ):
        mixture(root="/points").setup()
