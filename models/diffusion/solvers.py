"""Fast samplers: solvers of the reverse process for any denoiser of a `Process`, on any grid of times from T to 0.

With alpha_t = sqrt(alpha_bar_t), s_t = sqrt(1 - alpha_bar_t), sigma_t = s_t / alpha_t and lambda_t = log(alpha_t /
s_t). All take `x` at the first time, N x C x H x W, and return x_0; `clip` keeps the predicted x_0 in [-1, 1].
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser, draw_like, predicted_x_0


def dpm_solver_2m(
    denoiser: Denoiser,
    process: Process,
    x: Tensor,
    visited: Sequence[int],
    generator: torch.Generator,
    eta: float = 0.0,
    clip: bool = True,
) -> Tensor:
    """DPM-Solver++(2M) of Lu et al. 2022 (arXiv:2211.01095), Algorithm 2; with eta > 0 its stochastic form.

    eta = 1: SDE-DPM-Solver++(2M), the paper's Section 5; eta = 0: no noise, the generator is not used. An evaluation of
    the denoiser a step. The first step and the one to t = 0 are of first order.
    """
    earlier: tuple[Tensor, float] | None = None  # the last x_0, and the step in lambda that followed it
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        if s == 0:
            return x_0
        h = (process.half_log_snr[s] - process.half_log_snr[t]).item()
        alpha_s, deviation_s, deviation_t = (
            process.alpha_bar[s].item() ** 0.5,
            (1 - process.alpha_bar[s].item()) ** 0.5,
            (1 - process.alpha_bar[t].item()) ** 0.5,
        )
        # Algorithm 2: D_i = (1 + 1 / 2r) x_0(t_i) - 1 / 2r x_0(t_(i-1)), with r = h_(i-1) / h_i
        extrapolated = x_0 if earlier is None else x_0 + (x_0 - earlier[0]) * (h / (2 * earlier[1]))
        x = (deviation_s / deviation_t * math.exp(-eta * h)) * x - (alpha_s * math.expm1(-(1 + eta) * h)) * extrapolated
        if eta > 0:
            x = x + deviation_s * (-math.expm1(-2 * eta * h)) ** 0.5 * draw_like(x, generator)
        earlier = x_0, h
    raise ValueError(f"visited={list(visited)}: a grid ends at t = 0")


def heun(denoiser: Denoiser, process: Process, x: Tensor, visited: Sequence[int], clip: bool = True) -> Tensor:
    """Heun's method on the probability-flow ODE in sigma, Karras et al. 2022 (arXiv:2206.00364), Algorithm 1.

    Two evaluations of the denoiser a step, one in the step to t = 0.
    """
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        if s == 0:
            return x_0
        sigma_t, sigma_s = (math.exp(-process.half_log_snr[time].item()) for time in (t, s))
        scaled = x / process.alpha_bar[t].item() ** 0.5  # x of an image of unit scale beside noise of sigma
        # Eq. 4 with s(t) = 1, sigma(t) = t
        slope = (scaled - x_0) / sigma_t
        euler = scaled + (sigma_s - sigma_t) * slope
        alpha_s = process.alpha_bar[s].item() ** 0.5
        slope_s = (euler - predicted_x_0(denoiser, process, alpha_s * euler, s, clip)) / sigma_s
        x = alpha_s * (scaled + (sigma_s - sigma_t) * (slope + slope_s) / 2)
    raise ValueError(f"visited={list(visited)}: a grid ends at t = 0")
