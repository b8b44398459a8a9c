"""Samplers: functions that turn x_T into x_0 with any denoiser of a `Process`. They know no network and no training.

The paper's own and DDIM; faster ones are in models/diffusion/solvers.py, the grids of times that all visit in grids.py.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from models.diffusion.process import Process

Denoiser = Callable[[Tensor, Tensor], Tensor]  # x_t (N x C x H x W), t (N) -> the predicted eps, like x_t


def ancestral(
    denoiser: Denoiser,
    process: Process,
    x: Tensor,
    visited: Sequence[int],
    generator: torch.Generator,
    clip: bool = True,
) -> Tensor:
    """Return the end of `ancestral_path`: x_0."""
    ((_, x_0),) = deque(ancestral_path(denoiser, process, x, visited, generator, clip), maxlen=1)
    return x_0


def ancestral_path(
    denoiser: Denoiser,
    process: Process,
    x: Tensor,
    visited: Sequence[int],
    generator: torch.Generator,
    clip: bool = True,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (t, x_t) from (T, x_T) to (0, x_0) at the times of a grid.

    Algorithm 2 of Ho et al. 2020 over a subsequence of times, with the posterior variance (beta tilde, Eq. 7). `x` is
    x_T, N x C x H x W. `clip` keeps the predicted x_0 in [-1, 1], as the authors' code does.
    """
    yield visited[0], x
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        x, variance = process.posterior(x, x_0, t, s)
        if s > 0:
            z = draw_like(x, generator)
            x = x + variance**0.5 * z
        yield s, x


def ddim(
    denoiser: Denoiser,
    process: Process,
    x: Tensor,
    visited: Sequence[int],
    generator: torch.Generator,
    eta: float = 0.0,
    clip: bool = True,
) -> Tensor:
    """The sampler of Song, Meng and Ermon 2021 (arXiv:2010.02502), from x_T to x_0.

    eta = 0: DDIM, without noise, and the generator is not used; eta = 1: the ancestral sampler.
    """
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        eps = process.predict_eps(x, t, x_0)
        alpha_bar_t, alpha_bar_s = process.alpha_bar[t].item(), process.alpha_bar[s].item()
        # Eq. 16
        variance = eta**2 * (1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_s)
        # Eq. 12
        x = alpha_bar_s**0.5 * x_0 + (1 - alpha_bar_s - variance) ** 0.5 * eps
        if variance > 0:
            x = x + variance**0.5 * draw_like(x, generator)
    return x


def predicted_x_0(denoiser: Denoiser, process: Process, x: Tensor, t: int, clip: bool) -> Tensor:
    """Return the denoiser's estimate of x_0 at the one time t that a whole batch shares."""
    eps = denoiser(x, torch.full((len(x),), t, device=x.device))
    x_0 = process.predict_x_0(x, t, eps)
    return x_0.clamp(-1, 1) if clip else x_0


def draw_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise of x's shape, type and device where the generator lives."""
    return torch.randn(x.shape, generator=generator, device=generator.device).to(x)
