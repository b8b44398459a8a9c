"""Planted faults are what they say: shares, limits and what is left unchanged."""

import pytest
import torch
from torch import Tensor

from bench.evaluation import planted
from bench.evaluation.errors import EvaluationError
from bench.evaluation.keys import seeded


@pytest.fixture
def squares() -> Tensor:
    """60 images, each of one grey level of its own, 10 to 69."""
    return torch.arange(10, 70, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28).contiguous()


def test_a_blend_is_the_average_of_two_different_images(squares: Tensor) -> None:
    blends = planted.blend(squares, seeded("cpu", "test"))
    assert (blends.flatten(1) == blends[:, 0, 0, :1]).all()
    partner = 2 * blends[:, 0, 0, 0].int() - squares[:, 0, 0, 0].int()  # or one more, where the average was rounded up
    assert ((partner >= 10) & (partner <= 70)).all()
    assert (partner != squares[:, 0, 0, 0].int()).all()


def test_blur_keeps_a_flat_image_and_the_mean_of_a_dot_and_nothing_changes_at_zero(squares: Tensor) -> None:
    assert torch.equal(planted.blur(squares, 1.5), squares)
    dot = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    dot[..., 14, 14] = 255
    blurred = planted.blur(dot, 1.0)
    assert blurred.sum() == pytest.approx(255, abs=12)  # rounded to whole levels
    assert blurred.max() == pytest.approx(255 / (2 * torch.pi), abs=3)  # the peak of a Gaussian of deviation 1
    assert torch.equal(planted.blur(dot, 0), dot)


def test_pixel_noise_has_its_deviation(squares: Tensor) -> None:
    grey = torch.full((50, 1, 28, 28), 128, dtype=torch.uint8)
    noise = planted.pixel_noise(grey, 0.1, seeded("cpu", "test")).float() - 128
    assert noise.std() == pytest.approx(25.5, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.5)


def test_exactly_the_share_is_replaced_and_the_seed_chooses() -> None:
    first, again, other = (planted.replacement(205, 0.1, seed) for seed in (0, 0, 1))
    assert first.sum() == 20
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("count", "missing"), [(10, 1), (11, 2), (1000, 100), (2, 1)])
def test_a_tenth_of_the_modes_rounded_up_is_missing(count: int, missing: int) -> None:
    modes = torch.arange(count).repeat(3)
    kept = planted.missing_modes(modes, 0.1, count, seed=0)
    assert count - len(modes[kept].unique()) == missing
    assert kept.sum() == 3 * (count - missing), "an image of another mode is left out"
    assert not torch.equal(kept, planted.missing_modes(modes, 0.1, count, seed=3)) or count == 2


def test_no_image_is_left_of_one_mode() -> None:
    with pytest.raises(EvaluationError, match="no image is left without 1 of 1 modes"):
        planted.missing_modes(torch.zeros(5, dtype=torch.int64), 0.1, 1, seed=0)
