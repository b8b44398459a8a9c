"""Corruptions against the distributions they state."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.corruption import CORRUPTIONS, Kind, gaussian, masking, salt_and_pepper

N = 200_000
LEVELS = [0.1, 0.5, 1.0]
every_kind = pytest.mark.parametrize("kind", CORRUPTIONS)
every_level = pytest.mark.parametrize("level", LEVELS)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(value: float = 0.25) -> Tensor:
    """N values that no corruption writes."""
    return torch.full((1, 1, 1, N), value)


def close(share: Tensor, probability: float) -> bool:
    """Within five standard deviations of a frequency over N."""
    return abs(share.float().mean().item() - probability) <= 5 * math.sqrt(probability * (1 - probability) / N)


def test_every_kind_that_can_be_asked_for_exists() -> None:
    assert set(CORRUPTIONS) == set(get_args(Kind))


@every_kind
def test_level_zero_is_the_identity(kind: Kind) -> None:
    x = torch.rand(3, 2, 5, 5) * 2 - 1
    assert torch.equal(CORRUPTIONS[kind](x, 0.0, generator()), x)
    assert torch.equal(CORRUPTIONS[kind](x, torch.zeros(3, 1, 1, 1), generator()), x)


@every_level
def test_gaussian_noise_has_the_deviation_it_states_around_the_image(level: float) -> None:
    noise = gaussian(grey(), level, generator()) - 0.25
    assert noise.mean().item() == pytest.approx(0, abs=5 * level / math.sqrt(N))
    assert noise.std().item() == pytest.approx(level, rel=5 / math.sqrt(2 * N))
    assert close(noise.abs() > 2 * level, math.erfc(math.sqrt(2)))


@every_level
def test_masking_blackens_its_share_and_leaves_the_rest(level: float) -> None:
    x = masking(grey(), level, generator())
    assert close(x == -1, level)
    assert ((x == -1) | (x == 0.25)).all()


@every_level
def test_salt_and_pepper_are_equally_many_and_leave_the_rest(level: float) -> None:
    x = salt_and_pepper(grey(), level, generator())
    assert close(x == -1, level / 2)
    assert close(x == 1, level / 2)
    assert ((x == -1) | (x == 1) | (x == 0.25)).all()


@every_kind
def test_values_are_corrupted_independently_in_pixels_channels_and_images(kind: Kind) -> None:
    """The differences from the image at two places are uncorrelated, wherever the second one lies."""
    x = torch.full((20_000, 2, 2, 2), 0.25)
    changed = (CORRUPTIONS[kind](x, 0.5, generator()) - x).flatten(1)
    values = torch.cat([changed, changed.roll(1, 0)], 1)  # and the neighbour image's
    assert (torch.corrcoef(values.T) - torch.eye(16)).abs().max() < 5 / math.sqrt(20_000)


@every_kind
def test_each_image_can_have_a_level_of_its_own(kind: Kind) -> None:
    x = torch.rand(3, 1, 6, 6) * 1.5 - 0.75
    levels = torch.tensor([0.0, 0.3, 1.0]).view(3, 1, 1, 1)
    mixed = CORRUPTIONS[kind](x, levels, generator(7))
    for i, level in enumerate(levels.flatten().tolist()):
        assert torch.equal(mixed[i], CORRUPTIONS[kind](x, level, generator(7))[i])


@every_kind
def test_random_numbers_come_from_the_generator_or_else_from_torchs_own(kind: Kind) -> None:
    x, corrupt = torch.zeros(2, 1, 8, 8), CORRUPTIONS[kind]
    state = torch.get_rng_state()
    first = corrupt(x, 0.5, generator(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, corrupt(x, 0.5, generator(3)))
    assert not torch.equal(first, corrupt(x, 0.5, generator(4)))
    torch.manual_seed(3)
    assert torch.equal(corrupt(x, 0.5, None), first)
    assert not torch.equal(torch.get_rng_state(), state)
