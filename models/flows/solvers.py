"""Solvers of a flow's ordinary differential equation dz / dt = velocity(z, t), from noise at t = 1 to data at t = 0."""

import itertools
from typing import Literal

import torch
from torch import Tensor

from models.flows.path import Velocity

Method = Literal["euler", "heun"]


def evaluated(method: Method, steps: int) -> list[float]:
    """Return the times at which `solve` evaluates the velocity."""
    times = even_times(steps)
    return sorted(times[:-1] + (times[1:-1] if method == "heun" else []), reverse=True)


def even_times(steps: int) -> list[float]:
    """Return 1 = t_0 > t_1 > ... > t_steps = 0, evenly spaced."""
    return [1 - i / steps for i in range(steps + 1)]


def all_at(t: float, z: Tensor) -> Tensor:
    """Return the one time t that a whole batch shares: N values."""
    return torch.full((len(z),), t, dtype=z.dtype, device=z.device)


def solve(method: Method, velocity: Velocity, z: Tensor, steps: int) -> Tensor:
    """Return z_0 from z_1, N x C x H x W, by `steps` even steps of Euler's or of Heun's method.

    The last step is Euler's in both: where values of the data are exact, such as a black background, the velocity jumps
    at t = 0, and half of the last step's noise would stay.
    """
    for t, s in itertools.pairwise(even_times(steps)):
        slope = velocity(z, all_at(t, z))
        if method == "heun" and s > 0:
            slope = slope.clone()  # which a replayed network would overwrite
            slope = (slope + velocity(z - (t - s) * slope, all_at(s, z))) / 2
        z = z - (t - s) * slope
    return z
