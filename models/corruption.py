"""Ways to corrupt images, which denoising autoencoders undo. Random numbers are those of `random_numbers`.

All take images, N x C x H x W in [-1, 1], and a level: one number, or one an image as N x 1 x 1 x 1. Level 0 is the
identity. Every value, so each channel of a pixel, is corrupted independently of the others.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from models.ranks import own_share

Level = float | Tensor
Kind = Literal["gaussian", "masking", "salt_and_pepper"]


def gaussian(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x plus normal noise of standard deviation `level`, in units of [-1, 1]; not clipped, so it has that variance."""
    return x + level * random_numbers(torch.randn, tuple(x.shape), generator, x.device)


def masking(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x with values set to -1 (black), each with probability `level`.

    Vincent et al. 2008 (doi:10.1145/1390156.1390294), Section 2.3, whose 0 is the -1 of this range; there a fixed
    number of values is destroyed, here a binomial one.
    """
    u = random_numbers(torch.rand, tuple(x.shape), generator, x.device)
    return torch.where(u < level, -1.0, x)


def salt_and_pepper(x: Tensor, level: Level, generator: torch.Generator | None = None) -> Tensor:
    """x with values set to -1 or to 1, with probability `level` / 2 each."""
    u = random_numbers(torch.rand, tuple(x.shape), generator, x.device)
    return torch.where(u < level, torch.where(u < level / 2, -1.0, 1.0), x)


def random_numbers(
    kind: Callable[..., Tensor], shape: tuple[int, ...], generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Numbers of `torch.rand` or `torch.randn` for N images, `shape` = (N, ...), on `device`.

    Drawn where the generator lives. Without one, which is training, this rank's share of torch's own on `device`.
    """
    if generator is None:
        return own_share(lambda m: kind(m, *shape[1:], device=device), shape[0])
    return kind(shape, generator=generator, device=generator.device).to(device)


CORRUPTIONS: dict[Kind, Callable[[Tensor, Level, torch.Generator | None], Tensor]] = {
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
}
