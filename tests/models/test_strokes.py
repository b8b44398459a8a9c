"""Widths and leans of drawn bars are known, and the thresholds are the training digits' thirds."""

import math

import pytest
import torch
from torch import Tensor

from datamodules.mnist import Mnist
from models.strokes import LEAN_ENDS, WIDTH_ENDS, strokes, thirds

THIRDS = (1 / 3, 2 / 3)


def bar(width: int, shear: float = 0.0, side: int = 64) -> Tensor:
    """A bar of height 40, 1 x 1 x side x side, whose rows are moved by `shear` pixels a row to the right upwards."""
    x = torch.full((1, 1, side, side), -1.0)
    for row in range(12, 52):
        left = round(20 - shear * (row - 32))
        x[..., row, left : left + width] = 1.0
    return x


@pytest.mark.parametrize("width", [3, 5])
def test_the_width_of_a_bar_is_twice_its_area_over_its_outline(width: int) -> None:
    measured = strokes(bar(width))[0, 0]
    outline = 2 * (40 + width) - (2 - math.sqrt(2))  # one corner is cut by the differences' diagonal
    assert measured[0].item() == pytest.approx(2 * 40 * width / outline, rel=1e-5)
    assert measured[1].item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shear", [-1.0, 1.0, 2.0])
def test_the_lean_of_a_sheared_bar_is_its_shear(shear: float) -> None:
    x = torch.full((1, 1, 128, 128), -1.0)
    for row in range(44, 84):
        left = round(64 - shear * (row - 64))
        x[..., row, left : left + 3] = 1.0
    assert strokes(x)[0, 0, 1].item() == pytest.approx(shear, rel=1e-4)


def test_channels_and_images_are_measured_by_themselves() -> None:
    both = torch.cat([bar(3), bar(5, 1.0)], dim=1)
    assert torch.equal(strokes(both), torch.cat([strokes(bar(3)), strokes(bar(5, 1.0))], dim=1))


def test_a_channel_without_ink_has_no_width_and_no_lean() -> None:
    assert torch.equal(strokes(torch.full((2, 3, 8, 8), -1.0)), torch.zeros(2, 3, 2))
    assert strokes(torch.rand(2, 2, 1, 1)).isfinite().all()


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """The strokes of MNIST's training digits, 60,000 x 2, and the digits."""
    train, _ = Mnist().load()
    measured = [strokes(images / 127.5 - 1) for images in train.images.split(500)]
    return torch.cat(measured)[:, 0], train.labels


def test_the_thresholds_are_the_thirds_of_the_training_digits(digits: tuple[Tensor, Tensor]) -> None:
    measured, labels = digits[0].abs().double(), digits[1]
    for digit in range(10):
        ends = measured[labels == digit].quantile(torch.tensor(THIRDS, dtype=torch.float64), dim=0).T
        assert torch.tensor([WIDTH_ENDS[digit], LEAN_ENDS[digit]]).double().sub(ends).abs().max() < 6e-4


def test_each_third_of_a_digit_has_as_many_images(digits: tuple[Tensor, Tensor]) -> None:
    measured, labels = digits
    found = thirds(measured[:, None], labels[:, None])[:, 0]
    for digit in range(10):
        for attribute in range(2):
            shares = torch.bincount(found[labels == digit, attribute], minlength=3).double()
            assert (shares / shares.sum() - 1 / 3).abs().max() < 0.01
