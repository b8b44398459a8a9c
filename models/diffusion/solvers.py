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

    eta = 1: SDE-DPM-Solver++(2M) of the same paper; eta = 0: no noise, the generator is not used. An evaluation of
    the denoiser a step. The first step and the one to t = 0 are of first order.
    """
    earlier: tuple[Tensor, float] | None = None  # the last x_0, and the step in lambda that followed it
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        if s == 0:
            return x_0
        h = step_in_lambda(process, t, s)
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


def unipc(denoiser: Denoiser, process: Process, x: Tensor, visited: Sequence[int], clip: bool = True) -> Tensor:
    """UniPC-2 of Zhao et al. 2023 (arXiv:2302.04867) with B_2(h), on predictions of x_0: a predictor and a corrector.

    One evaluation of the denoiser a step: the corrector of a step uses the evaluation that the next step begins with.
    With B_2(h), predictor and corrector are DDIM's step with an average of the known x_0 in place of the last one, and
    the predictor is the step of DPM-Solver++(2M). The error of a whole path is of third order: the first step's, of
    order h^3, occurs once. The step to t = 0 returns x_0 at the predictor's x and has no corrector.
    """
    known: list[tuple[Tensor, float]] = []  # the last two x_0, each with the step in lambda that followed it
    corrected, earlier = x, visited[0]  # x at the start of the last step, and its time
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        if s == 0:
            return x_0
        if known:
            x = ddim_step(process, corrected, unic_average(known, x_0), earlier, t)
        corrected, earlier = x, t
        known = [*known[-1:], (x_0, step_in_lambda(process, t, s))]
        x = ddim_step(process, corrected, unip_average(known), t, s)
    raise ValueError(f"visited={list(visited)}: a grid ends at t = 0")


def unip_average(known: Sequence[tuple[Tensor, float]]) -> Tensor:
    """Return the x_0 that UniP-2 steps with, from one or two known x_0 and the steps in lambda that followed them.

    The weight of their difference is 1 / 2, as the authors take it for the second order.
    """
    x_0, h = known[-1]
    if len(known) == 1:
        return x_0
    earlier, earlier_h = known[0]
    return x_0 + (x_0 - earlier) * (h / (2 * earlier_h))


def unic_average(known: Sequence[tuple[Tensor, float]], new: Tensor) -> Tensor:
    """Return the x_0 that UniC-2 steps with: `known` as for `unip_average`, `new` the x_0 at the end of the step.

    With one known x_0 it is UniC-1, which weighs both by 1 / 2, as the authors take it. This suits the long step from T
    too: there x_0 leaves the data's mean as e^lambda, whose average over the step is half of its value at the end.
    """
    x_0, h = known[-1]
    if len(known) == 1:
        return (x_0 + new) / 2
    earlier, earlier_h = known[0]
    r, B = -earlier_h / h, math.expm1(-h)
    # the weights a of (earlier - x_0) / r and new - x_0 solve R a = b: a_1 + a_2 = b_1, r a_1 + a_2 = b_2
    b_1 = (-B / h - 1) / B
    b_2 = 2 * ((B / h + 1) / h - 1 / 2) / B
    a_1 = (b_2 - b_1) / (r - 1)
    return x_0 + (a_1 / r) * (earlier - x_0) + (b_1 - a_1) * (new - x_0)


def ddim_step(process: Process, x: Tensor, x_0: Tensor, t: int, s: int) -> Tensor:
    """Return x at time s of 0 < s < t: the exact solution from x at t if the predicted x_0 is the same all the way."""
    alpha_bar_t, alpha_bar_s = process.alpha_bar[t].item(), process.alpha_bar[s].item()
    of_x = ((1 - alpha_bar_s) / (1 - alpha_bar_t)) ** 0.5
    return of_x * x - (alpha_bar_s**0.5 * math.expm1(-step_in_lambda(process, t, s))) * x_0


def step_in_lambda(process: Process, t: int, s: int) -> float:
    """Return h = lambda_s - lambda_t, which is positive for s < t."""
    return (process.half_log_snr[s] - process.half_log_snr[t]).item()


def heun(denoiser: Denoiser, process: Process, x: Tensor, visited: Sequence[int], clip: bool = True) -> Tensor:
    """Heun's method on the probability-flow ODE in sigma, Karras et al. 2022 (arXiv:2206.00364), Algorithm 1.

    Two evaluations of the denoiser a step, one in the step from T and one in the step to t = 0. The step from T is
    DDIM's: sigma_T may be a thousand times the next level, and the mean of the slopes at both ends would multiply the
    data's small share in the second one by sigma_T.
    """
    for t, s in itertools.pairwise(visited):
        x_0 = predicted_x_0(denoiser, process, x, t, clip)
        if s == 0:
            return x_0
        if t == process.T:
            x = ddim_step(process, x, x_0, t, s)
            continue
        sigma_t, sigma_s = (math.exp(-process.half_log_snr[time].item()) for time in (t, s))
        scaled = x / process.alpha_bar[t].item() ** 0.5  # x of an image of unit scale beside noise of sigma
        # Eq. 4 with s(t) = 1, sigma(t) = t
        slope = (scaled - x_0) / sigma_t
        euler = scaled + (sigma_s - sigma_t) * slope
        alpha_s = process.alpha_bar[s].item() ** 0.5
        slope_s = (euler - predicted_x_0(denoiser, process, alpha_s * euler, s, clip)) / sigma_s
        x = alpha_s * (scaled + (sigma_s - sigma_t) * (slope + slope_s) / 2)
    raise ValueError(f"visited={list(visited)}: a grid ends at t = 0")
