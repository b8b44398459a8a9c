"""Flow maps: from z_t to the z_s of the same solution in one evaluation, z_s = z_t - (t - s) F(z_t, t, s).

F is the mean velocity between the two times; at s = t it is the velocity itself (Geng et al. 2025, MeanFlow,
arXiv:2505.13447, Eq. 3).
"""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from models.flows.path import interpolate, like_images
from models.flows.solvers import all_at, even_times

MeanVelocity = Callable[[Tensor, Tensor, Tensor], Tensor]  # z_t (N x C x H x W), t, s (N each, s <= t) -> F, like z_t


def two_part_target(
    mean_velocity: MeanVelocity, z: Tensor, first: Tensor, t: Tensor, middle: Tensor, s: Tensor
) -> Tensor:
    """Return what F(z, t, s) must be if the solution goes by `first` from t to `middle` and by F from there to s.

    t > s and t >= middle >= s: N each. With `first` = F(z, t, middle) it is the identity of SplitMeanFlow
    (arXiv:2507.16884), and at half the way of shortcut models (arXiv:2410.12557); with the data's velocity eps - x the
    target of SoFlow (arXiv:2512.15657), and with s = 0 that of consistency training (arXiv:2303.01469).
    """
    share = like_images((t - middle) / (t - s))
    z_middle = z - like_images(t - middle) * first
    return share * first + (1 - share) * mean_velocity(z_middle, middle, s)


def jump(mean_velocity: MeanVelocity, z: Tensor, steps: int) -> Tensor:
    """Return z_0 from z_1 by `steps` even jumps along the flow."""
    for t, s in itertools.pairwise(even_times(steps)):
        z = z - (t - s) * mean_velocity(z, all_at(t, z), all_at(s, z))
    return z


def jump_and_renoise(mean_velocity: MeanVelocity, z: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return images by `steps` jumps to t = 0, each but the first from the last one's image with new noise.

    Song et al. 2023 (arXiv:2303.01469), Algorithm 1, at even times.
    """
    for t, s in itertools.pairwise(even_times(steps)):
        x = z - t * mean_velocity(z, all_at(t, z), all_at(0.0, z))
        if s == 0:
            break
        eps = torch.randn(z.shape, generator=generator, device=generator.device).to(z)
        z = interpolate(x, eps, all_at(s, z))
    return x
