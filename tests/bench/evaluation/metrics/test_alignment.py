"""Nearest training images by aligned pixels: equal to a search by hand, blind to shifts, brightness and contrast."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.evaluation.metrics.alignment import (
    CANDIDATES,
    Aligner,
    gaps,
    inverse_norms,
    low_frequencies,
    reach,
    templates,
)


def textures(n: int, seed: int, shape: tuple[int, int, int] = (1, 16, 16)) -> Tensor:
    """uint8 n x C x H x W: smooth random images, each different from all others."""
    g = torch.Generator().manual_seed(seed)
    C, H, W = shape
    basis = low_frequencies(H, W)
    waves = (torch.randn(n, C, len(basis), generator=g) @ basis).view(n, C, H, W)
    return (128 + 60 * waves / waves.flatten(1).std(1).view(-1, 1, 1, 1)).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def training() -> Tensor:
    return textures(300, seed=1)


@pytest.fixture(scope="module")
def aligner(training: Tensor) -> Aligner:
    return Aligner.from_images(training)


def correlation_by_hand(sample: Tensor, image: Tensor, R: int) -> float:
    """The largest Pearson correlation of the sample's central window with a window of the image."""
    H, W = sample.shape[1:]
    windows = [sample[:, R : H - R, R : W - R]]
    windows += [image[:, y : y + H - 2 * R, x : x + W - 2 * R] for y in range(2 * R + 1) for x in range(2 * R + 1)]
    return float(torch.corrcoef(torch.stack([window.double().flatten() for window in windows]))[0, 1:].max())


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 17, 20), (1, 8, 9), (2, 6, 6)])
def test_templates_and_norms_give_pearsons_correlation_of_each_window(shape: tuple[int, int, int]) -> None:
    samples, images = textures(3, 5, shape), textures(3, 6, shape)
    R = reach(*shape[1:])
    assert min(2, min(shape[1:]) // 8) == R
    r = (templates(samples) * images[:, None].float()).flatten(2).sum(2) * inverse_norms(images.float(), R)
    expected = [correlation_by_hand(x, t, R) for x, t in zip(samples, images, strict=True)]
    assert r.amax(1).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_gap_is_that_of_all_training_images_by_hand(aligner: Aligner, training: Tensor) -> None:
    """Of the candidates, at least: most of the nearest images are among them."""
    samples = textures(2, seed=2)
    found = aligner(samples)
    for i, sample in enumerate(samples):
        r = torch.tensor([correlation_by_hand(sample, image, 2) for image in training])
        d = (2 * (1 - r)).sqrt().sort().values[:25].double()
        assert int(found.training[i]) == int(r.argmax())
        inverse = sum(math.log(d[-1] / d[j]) for j in range(4, 24)) / 20
        assert float(found.gap[i]) == pytest.approx(math.log(d[0] / d[-1]) / inverse, rel=0.15)


def test_gaps_do_not_depend_on_the_unit_nor_on_the_dimension() -> None:
    """Distances of a Poisson process in m dimensions are those in one dimension to the power of 1 / m."""
    arrivals = torch.rand(50, 25, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    expected = gaps(arrivals)
    for unit, m in ((1.0, 3), (7.0, 12)):
        torch.testing.assert_close(gaps(unit * arrivals ** (1 / m)), expected)
    assert gaps(torch.ones(2, 25)).tolist() == [0, 0]


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "equal": lambda x: x,
    "shifted by (1, -2)": lambda x: torch.roll(x, (1, -2), (2, 3)),
    "shifted by (-2, 2)": lambda x: torch.roll(x, (-2, 2), (2, 3)),
    "darker": lambda x: (0.7 * x).round().to(torch.uint8),
    "of less contrast": lambda x: (100 + 0.4 * x).round().to(torch.uint8),
    "shifted and darker": lambda x: (0.7 * torch.roll(x, (2, 1), (2, 3))).round().to(torch.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_whatever_their_shift_brightness_and_contrast(
    change: str, aligner: Aligner, training: Tensor
) -> None:
    found = aligner(CHANGES[change](training[40:80]))
    assert found.training.tolist() == list(range(40, 80))
    others = aligner(textures(200, seed=3)).gap
    assert float(found.gap.max()) < float(others.min())


def test_colour_images_are_told_apart_by_their_colours() -> None:
    grey = textures(100, seed=4, shape=(1, 24, 24)).float()
    tints = torch.rand(100, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    training = (grey[:50].repeat(2, 1, 1, 1) * tints).to(torch.uint8)  # every image in two tints
    found = Aligner.from_images(training)(training)
    assert found.training.tolist() == list(range(100))


def test_images_of_one_grey_are_near_to_nothing(aligner: Aligner) -> None:
    flat = torch.full((3, 1, 16, 16), 7, dtype=torch.uint8)
    assert aligner(flat).gap.tolist() == [0, 0, 0]
    constant = Aligner.from_images(flat.repeat(CANDIDATES, 1, 1, 1))
    assert constant(textures(2, seed=1)).gap.tolist() == [0, 0]


def test_the_result_is_the_same_for_each_image_alone(aligner: Aligner) -> None:
    samples = textures(20, seed=8)
    whole = aligner(samples)
    alone = [aligner(sample[None]) for sample in samples]
    torch.testing.assert_close(whole.gap, torch.cat([one.gap for one in alone]), rtol=1e-3, atol=1e-3)
    assert torch.equal(whole.training, torch.cat([one.training for one in alone]))
