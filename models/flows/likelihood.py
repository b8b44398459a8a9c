"""The likelihood of a flow's samples, by the instantaneous change of variables along its solution."""

import math

import torch
from torch import Tensor

from models.flows.path import Velocity
from models.flows.solvers import all_at


def log_likelihood(velocity: Velocity, x: Tensor, probe: Tensor, steps: int) -> Tensor:
    """An unbiased estimate of log p(x) for each image of N x C x H x W, as a density, in nats.

    Solves dz / dt = velocity and d log p / dt = -div velocity (Chen et al. 2018, arXiv:1806.07366, Theorem 1) from the
    data at t = 0 to N(0, I) at t = 1, by `steps` steps of the classical Runge-Kutta method. Times are (i / steps)^2,
    dense near the data, where the divergence is largest. probe: random signs of x's shape, by which the divergence is
    estimated (Hutchinson's estimator; Grathwohl et al. 2019, arXiv:1810.01367), the same at all times. Takes 4 `steps`
    passes forward and back.
    """
    z, change = x, torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for i in range(steps):
        t, h = (i / steps) ** 2, (2 * i + 1) / steps**2
        k_1, d_1 = with_divergence(velocity, z, t, probe)
        k_2, d_2 = with_divergence(velocity, z + h / 2 * k_1, t + h / 2, probe)
        k_3, d_3 = with_divergence(velocity, z + h / 2 * k_2, t + h / 2, probe)
        k_4, d_4 = with_divergence(velocity, z + h * k_3, t + h, probe)
        z = z + h / 6 * (k_1 + 2 * k_2 + 2 * k_3 + k_4)
        change = change + h / 6 * (d_1 + 2 * d_2 + 2 * d_3 + d_4)
    prior = -0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1)
    return prior + change


def with_divergence(velocity: Velocity, z: Tensor, t: float, probe: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity at (z, t), and the estimate probe . (d velocity / dz) probe of its divergence: N values."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        v = velocity(z, all_at(t, z))
        (product,) = torch.autograd.grad(v, z, probe)
    return v.detach(), (product * probe).flatten(1).sum(1)
