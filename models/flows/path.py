"""The straight path between data and noise, and the times at which it is trained."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from models.stratified import stratified

Times = Literal["logit-normal", "uniform"]
Velocity = Callable[[Tensor, Tensor], Tensor]  # z_t (N x C x H x W), t (N, from 0 to 1) -> dz / dt, like z_t


def like_images(t: Tensor) -> Tensor:
    """N -> N x 1 x 1 x 1, to be multiplied with images."""
    return t.view(-1, 1, 1, 1)


def interpolate(x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """z_t = (1 - t) x + t eps for images N x C x H x W, noise of their shape, and times N.

    The straight path of Liu et al. 2022 (arXiv:2209.03003), from the images at t = 0 to noise at t = 1.
    """
    return torch.lerp(x, eps, like_images(t))


def draw_times(kind: Times, n: int, device: torch.device) -> Tensor:
    """Draw n times from 0 to 1, spread evenly over their distribution together.

    "logit-normal": sigmoid of a standard normal number (Esser et al. 2024, arXiv:2403.03206, Section 3.1, with m = 0
    and s = 1), which trains the middle of the path most, where the velocity is hardest to predict.
    """
    u = stratified(n, device)
    return u if kind == "uniform" else torch.special.ndtri(u).sigmoid()
