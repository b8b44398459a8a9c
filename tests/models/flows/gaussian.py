"""The flow of a Gaussian with independent values, solved: what networks would learn from it, without a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.flows.path import like_images


@dataclass(frozen=True)
class Gaussian:
    """x ~ N(mean, deviation^2) in every value. Along the flow (z_t - mean_t) / deviation_t does not change."""

    mean: float
    deviation: float

    def moments(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of z_t = (1 - t) x + t eps."""
        t = like_images(t)
        return (1 - t) * self.mean, ((1 - t) * self.deviation).square() + t.square()

    def velocity(self, z: Tensor, t: Tensor) -> Tensor:
        """E[eps - x | z_t = z]: -mean, and the regression of eps - x on z_t."""
        mean_t, variance_t = self.moments(t)
        covariance = like_images(t) - (1 - like_images(t)) * self.deviation**2
        return -self.mean + covariance / variance_t * (z - mean_t)

    def mapped(self, z: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """The z_s of the solution through z at t."""
        (mean_t, variance_t), (mean_s, variance_s) = self.moments(t), self.moments(s)
        return mean_s + (variance_s / variance_t).sqrt() * (z - mean_t)

    def mean_velocity(self, z: Tensor, t: Tensor, s: Tensor) -> Tensor:
        gap = like_images(t - s)
        jumped = (z - self.mapped(z, t, s)) / torch.where(gap > 0, gap, 1.0)
        return torch.where(gap > 0, jumped, self.velocity(z, t))
