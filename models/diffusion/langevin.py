"""Annealed Langevin dynamics for any denoiser of a `Process` (Song and Ermon 2019, arXiv:1907.05600, Algorithm 1)."""

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser, draw_like, predicted_x_0


def annealed_langevin(
    denoiser: Denoiser, process: Process, y: Tensor, steps: int, step_size: float, generator: torch.Generator
) -> Tensor:
    """Return the end of `annealed_langevin_path`: x_0."""
    ((_, x_0),) = deque(annealed_langevin_path(denoiser, process, y, steps, step_size, generator), maxlen=1)
    return x_0


def annealed_langevin_path(
    denoiser: Denoiser, process: Process, y: Tensor, steps: int, step_size: float, generator: torch.Generator
) -> Iterator[tuple[int, Tensor]]:
    """Yield (t, y) after the steps at each noise level t = T, ..., 1, and at last (0, x_0), N x C x H x W.

    y = x_0 + sigma_t eps: in the units of the images, whatever the noise. `steps` are those at each level, `step_size`
    is epsilon: the paper's alpha_i is 2 epsilon sigma_i^2 / sigma_L^2, written as in the authors' code
    (github.com/ermongroup/ncsnv2). x_0 is not clipped. Takes T x steps + 1 evaluations.
    """
    sigmas = (-process.half_log_snr).exp().tolist()
    for t in range(process.T, 0, -1):
        alpha = step_size * (sigmas[t] / sigmas[1]) ** 2
        for _ in range(steps):
            # Algorithm 1, line 6
            y = y + alpha * score(denoiser, process, y, t) + (2 * alpha) ** 0.5 * draw_like(y, generator)
        yield t, y
    # Song and Ermon 2020 (arXiv:2006.09011), Algorithm 1: x_T + sigma_T^2 s(x_T, sigma_T) at the lowest level
    yield 0, predicted_x_0(denoiser, process, process.alpha_bar[1].item() ** 0.5 * y, 1, clip=False)


def score(denoiser: Denoiser, process: Process, y: Tensor, t: int) -> Tensor:
    """Return s(y, sigma_t) = grad log p(y) of images with noise of level t, which is -eps / sigma_t."""
    signal = process.alpha_bar[t].item() ** 0.5
    eps = denoiser(signal * y, torch.full((len(y),), t, device=y.device))
    return eps * -process.half_log_snr[t].exp().item()
