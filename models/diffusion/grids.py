"""Grids: the times T = t_0 > t_1 > ... > t_S = 0 that a sampler of S steps visits.

Samplers differ in how they space the noise level sigma = sqrt((1 - alpha_bar) / alpha_bar), the noise beside an image
of unit scale. The cosine process begins at sigma 2e4, where nothing is decided, so the grids in sigma keep to a range:
after T they go from `sigma_max` to `sigma_min`, and then to 0. Noise at `sigma_max` lacks the data's mean, scaled by
alpha there. The step from T, which costs an evaluation, adds it: E[x_0 | x_T] is the mean, as x_T holds no signal. A
network's x_0 at T is its error in eps divided by alpha_T, clipped, so a short training adds only a part of the mean.
"""

import math

import torch
from torch import Tensor

from models.diffusion.process import Process

RHO = 7.0  # Karras et al. 2022 (arXiv:2206.00364), Section 3
SIGMA_MAX, SIGMA_MIN = 35.0, 0.03  # enough for images of unit scale of a thousand pixels


def even(T: int, steps: int) -> list[int]:
    """Return T = t_0 > t_1 > ... > t_S = 0, evenly spaced in t; raise ValueError unless 1 <= steps <= T."""
    if not 1 <= steps <= T:
        raise ValueError(f"steps={steps} must lie between 1 and T={T}")
    return [round(T * i / steps) for i in range(steps, -1, -1)]


def log_snr(process: Process, steps: int, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN) -> list[int]:
    """Return times evenly spaced in the logarithm of sigma, as Lu et al. 2022 (arXiv:2211.01095) have them."""
    logarithms = torch.linspace(math.log(sigma_max), math.log(sigma_min), max(1, steps - 1), dtype=torch.float64)
    return bounded(process, steps, logarithms, sigma_max, sigma_min)


def karras(process: Process, steps: int, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN) -> list[int]:
    """Return times evenly spaced in sigma^(1 / rho), Karras et al. 2022, Eq. 5."""
    ends = sigma_max ** (1 / RHO), sigma_min ** (1 / RHO)
    roots = torch.linspace(*ends, max(1, steps - 1), dtype=torch.float64)
    return bounded(process, steps, RHO * roots.log(), sigma_max, sigma_min)


def sigma_range(process: Process) -> tuple[float, float]:
    """Return the lowest and the highest noise level that a grid may stop at between T and 0: of t = 1 and t = T - 1."""
    lowest, highest = (-process.half_log_snr[[1, process.T - 1]]).exp().tolist()
    return lowest, highest


def bounded(process: Process, steps: int, logarithms: Tensor, sigma_max: float, sigma_min: float) -> list[int]:
    """Return T, the times of the process nearest to these descending logarithms of sigma, and 0.

    Raises ValueError unless there are that many distinct ones between sigma_max and sigma_min.
    """
    even(process.T, steps)
    table = -process.half_log_snr[1:]  # of t = 1 ... T, ascending
    lowest, highest = sigma_range(process)
    if not lowest <= sigma_min < sigma_max <= highest:
        raise ValueError(
            f"sigma_max={sigma_max:g}, sigma_min={sigma_min:g}: choose {lowest:.3g} <= sigma_min < sigma_max <= "
            f"{highest:.3g}, the range of this process"
        )
    between = (table[None] - logarithms[:, None]).abs().argmin(1) + 1
    visited = [process.T, *between.tolist(), 0] if steps > 1 else [process.T, 0]
    if len(set(visited)) < len(visited):
        distinct = int(((table >= math.log(sigma_min)) & (table <= math.log(sigma_max))).sum())
        raise ValueError(
            f"steps={steps}: rounded to the {distinct} times of this process between sigma_max={sigma_max:g} and "
            f"sigma_min={sigma_min:g}, some would be visited twice; choose fewer steps or a wider range"
        )
    return visited
