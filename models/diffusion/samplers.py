"""Samplers: functions that turn x_T into x_0 with any denoiser of a `Process`. They know no network and no training."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from models.diffusion.process import Process

Denoiser = Callable[[Tensor, Tensor], Tensor]  # x_t (N x C x H x W), t (N) -> the predicted eps, like x_t


def times(T: int, steps: int) -> list[int]:
    """T = t_S > ... > t_1 > t_0 = 0, evenly spaced: the noise levels that a sampler of `steps` steps visits."""
    if not 1 <= steps <= T:
        raise ValueError(f"steps={steps} must lie between 1 and T={T}")
    return [round(T * i / steps) for i in range(steps, -1, -1)]


def ancestral(
    denoiser: Denoiser, process: Process, x: Tensor, steps: int, generator: torch.Generator, clip: bool = True
) -> Tensor:
    """Where `ancestral_path` ends: x_0."""
    ((_, x_0),) = deque(ancestral_path(denoiser, process, x, steps, generator, clip), maxlen=1)
    return x_0


def ancestral_path(
    denoiser: Denoiser, process: Process, x: Tensor, steps: int, generator: torch.Generator, clip: bool = True
) -> Iterator[tuple[int, Tensor]]:
    """Algorithm 2 of Ho et al. 2020 over a subsequence of times, with the posterior variance (beta tilde, Eq. 7).

    `x` is x_T, N x C x H x W. Yields (t, x_t) from (T, x_T) to (0, x_0). `clip` keeps the predicted x_0 in [-1, 1], as
    the authors' code does.
    """
    visited = times(process.T, steps)
    yield process.T, x
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        x, variance = process.posterior(x, x_0, t, s)
        if s > 0:
            z = draw_like(x, generator)
            x = x + variance**0.5 * z
        yield s, x


def ddim(denoiser: Denoiser, process: Process, x: Tensor, steps: int, clip: bool = True) -> Tensor:
    """The deterministic sampler (eta = 0) of Song, Meng and Ermon 2021 (arXiv:2010.02502), from x_T to x_0."""
    visited = times(process.T, steps)
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        eps = process.predict_eps(x, t, x_0)
        alpha_bar_s = process.alpha_bar[s].item()
        # Eq. 12 with sigma_t = 0
        x = alpha_bar_s**0.5 * x_0 + (1 - alpha_bar_s) ** 0.5 * eps
    return x


def predicted_x_0(denoiser: Denoiser, process: Process, x: Tensor, t: int, clip: bool) -> Tensor:
    """The denoiser's estimate of x_0 at the one time t that a whole batch shares."""
    eps = denoiser(x, torch.full((len(x),), t, device=x.device))
    x_0 = process.predict_x_0(x, t, eps)
    return x_0.clamp(-1, 1) if clip else x_0


def draw_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of x's shape, type and device, drawn where the generator lives."""
    return torch.randn(x.shape, generator=generator, device=generator.device).to(x)
