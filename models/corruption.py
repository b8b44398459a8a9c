"""Ways to corrupt images, which denoising autoencoders undo. Random numbers come from the generator, or torch's own.

All take images, N x C x H x W in [-1, 1], and a level: one number, or one an image as N x 1 x 1 x 1. Level 0 is the
identity. Every value, so each channel of a pixel, is corrupted independently of the others.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Level = float | Tensor
Kind = Literal["gaussian", "masking", "salt_and_pepper"]


def gaussian(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x plus normal noise of standard deviation `level`, in units of [-1, 1]; not clipped, so it has that variance."""
    return x + level * _like(x, torch.randn, generator)


def masking(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x with values set to -1 (black), each with probability `level`.

    Vincent et al. 2008 (doi:10.1145/1390156.1390294), Section 2.3, whose 0 is the -1 of this range; there a fixed
    number of values is destroyed, here a binomial one.
    """
    return torch.where(_like(x, torch.rand, generator) < level, -1.0, x)


def salt_and_pepper(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x with values set to -1 or to 1, with probability `level` / 2 each."""
    u = _like(x, torch.rand, generator)
    return torch.where(u < level, torch.where(u < level / 2, -1.0, 1.0), x)


def _like(x: Tensor, draw: Callable[..., Tensor], generator: torch.Generator | None) -> Tensor:
    """Random float32 numbers in the shape of x, drawn where the generator lives."""
    device = generator.device if generator else x.device
    return draw(x.shape, generator=generator, device=device).to(x.device)


CORRUPTIONS: dict[Kind, Callable[[Tensor, Level, torch.Generator | None], Tensor]] = {
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
}
