"""The Gaussian and the binomial diffusion of Sohl-Dickstein et al. 2015 (arXiv:1503.03585), Appendix B, Table App.1.

Both erase the same share 1 / T of an image in each of T steps: beta_t = 1 / (T - t + 1), so that the product of 1 -
beta_1, ..., 1 - beta_t is 1 - t / T, and at t = T nothing of the image is left. A kernel knows no network: `output`, N
x (outputs C) x H x W, is what a network says of x_t. Times `t` are N integers from 1 to T.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from models.diffusion.bound import discretized_gaussian_log_likelihood


class Kernel(ABC):
    """A diffusion of images in T steps, and the reverse steps that a network parametrises."""

    outputs: ClassVar[int]  # numbers that the network predicts for each value of an image
    levels: ClassVar[int]  # that a value of the images can have, whose likelihood the divergences bound
    draw: ClassVar[Callable[..., Tensor]]  # torch's function of a shape that gives `noise`

    def __init__(self, T: int) -> None:
        self.T = T

    @abstractmethod
    def states(self, x: Tensor) -> Tensor:
        """The images as x_0."""

    @abstractmethod
    def diffuse(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of q(x_t | x_0). For t = T it does not depend on x_0."""

    @abstractmethod
    def divergence(self, x_0: Tensor, x_t: Tensor, t: Tensor, output: Tensor) -> Tensor:
        """KL(q(x_t-1 | x_t, x_0) || p(x_t-1 | x_t)), which for t = 1 is -log p(x_0 | x_1), in nats: N values."""

    @abstractmethod
    def reverse(self, x_t: Tensor, t: Tensor, output: Tensor, noise: Tensor) -> Tensor:
        """A draw of p(x_t-1 | x_t)."""


class GaussianKernel(Kernel):
    """q(x_t | x_t-1) = N(sqrt(1 - beta_t) x_t-1, beta_t), with p(x_t-1 | x_t) = N(mu, Sigma), Sigma diagonal.

    The first half of an output's channels gives mu, the other Sigma, both as changes of the forward step. Images are at
    8-bit levels, and the last step's Gaussian is integrated over each.
    """

    outputs = 2
    levels = 256
    draw = staticmethod(torch.randn)

    def states(self, x: Tensor) -> Tensor:
        return x

    def diffuse(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        erased = like(t, x_0) / self.T
        return (1 - erased).sqrt() * x_0 + erased.sqrt() * noise

    def posterior(self, x_0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, like x_t, and variance, N x 1 x 1 x 1, of q(x_t-1 | x_t, x_0)."""
        time = like(t, x_0)
        beta = 1 / (self.T - time + 1)
        # Ho et al. 2020 (arXiv:2006.11239), Eq. 7, with alpha_bar_t = 1 - t / T
        of_x_0 = (1 - (time - 1) / self.T).sqrt() * beta * self.T / time
        of_x_t = (1 - beta).sqrt() * (time - 1) / time
        return of_x_0 * x_0 + of_x_t * x_t, beta * (time - 1) / time

    def parameters(self, x_t: Tensor, t: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of p(x_t-1 | x_t), like x_t each; zero outputs give the forward step's beta_t.

        mu = sqrt(1 - beta_t) x_t + sqrt(beta_t) m as in the authors' code
        (github.com/Sohl-Dickstein/Diffusion-Probabilistic-Models); m is in units of sqrt(beta_t / (1 - alpha_bar_t)),
        which its size is.
        """
        time = like(t, x_t)
        beta = 1 / (self.T - time + 1)
        of_mean, of_variance = output.to(x_t.dtype).chunk(2, dim=1)
        mean = (1 - beta).sqrt() * x_t + beta * (self.T / time).sqrt() * of_mean
        # Appendix D.2.1: Sigma = sigmoid(z + logit(beta_t)), whose odds are exp(z) / (T - t)
        return mean, -F.softplus((self.T - time).log() - of_variance)

    def divergence(self, x_0: Tensor, x_t: Tensor, t: Tensor, output: Tensor) -> Tensor:
        mean, log_variance = self.parameters(x_t, t, output)
        exact_mean, exact_variance = self.posterior(x_0, x_t, t)
        first = t == 1
        # the exact posterior of t = 1 is a point, whose place one of positive variance takes until it is left out
        exact_variance = torch.where(like(first, x_0) > 0, 1.0, exact_variance)
        spread = (exact_variance + (exact_mean - mean).square()) / log_variance.exp()
        kl = 0.5 * (log_variance - exact_variance.log() + spread - 1).flatten(1).sum(1)
        if not first.any():
            return kl
        return torch.where(first, -discretized_gaussian_log_likelihood(x_0, mean, log_variance / 2), kl)

    def reverse(self, x_t: Tensor, t: Tensor, output: Tensor, noise: Tensor) -> Tensor:
        """A draw, but for t = 1 the mean: what a reader expects of a picture, without its pixel noise."""
        mean, log_variance = self.parameters(x_t, t, output)
        return mean + (like(t, x_t) > 1) * (log_variance / 2).exp() * noise


class BinomialKernel(Kernel):
    """Values -1 and 1 for the paper's bits 0 and 1: q(x_t | x_t-1) gives a fair coin's with the probability beta_t.

    Then x_t has the mean (1 - t / T) x_0. p(x_t-1 = 1 | x_t) is a sigmoid of the forward step's logit and the output.
    """

    outputs = 1
    levels = 2
    draw = staticmethod(torch.rand)

    def states(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, 1.0, -1.0).to(x)

    def diffuse(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        kept = 1 - like(t, x_0) / self.T
        return coins((1 + kept * x_0) / 2, noise)

    def posterior(self, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The logit of q(x_t-1 = 1 | x_t, x_0), like x_t; infinite for t = 1."""
        time = like(t, x_0)
        # Bayes' rule for two independent sources: q(x_t | x_t-1) of mean (T - t) / (T - t + 1), and q(x_t-1 | x_0) of
        # mean 1 - (t - 1) / T, each with the logit 2 artanh(mean)
        return self.forward_logit(x_t, t) + x_0 * ((2 * self.T - time + 1) / (time - 1)).log()

    def forward_logit(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The logit of x_t-1 = 1 that x_t alone gives where both values are as likely: 2 artanh(1 - beta_t) x_t."""
        return x_t * (2 * (self.T - like(t, x_t)) + 1).log()

    def divergence(self, x_0: Tensor, x_t: Tensor, t: Tensor, output: Tensor) -> Tensor:
        exact = self.posterior(x_0, x_t, t)
        logit = self.forward_logit(x_t, t) + output.to(x_t.dtype)
        one, other = exact.sigmoid(), (-exact).sigmoid()
        # cross entropy less entropy, which is zero for t = 1
        cross = one * F.softplus(-logit) + other * F.softplus(logit)
        return (cross - torch.special.entr(one) - torch.special.entr(other)).flatten(1).sum(1)

    def reverse(self, x_t: Tensor, t: Tensor, output: Tensor, noise: Tensor) -> Tensor:
        return coins((self.forward_logit(x_t, t) + output.to(x_t.dtype)).sigmoid(), noise)


KERNELS: dict[str, type[Kernel]] = {"gaussian": GaussianKernel, "binomial": BinomialKernel}


def like(t: Tensor, x: Tensor) -> Tensor:
    """Return the times with the type of x, and shaped so that they meet its images: N x 1 x 1 x 1."""
    return t.to(x.dtype).view(-1, *[1] * (x.dim() - 1))


def coins(probability: Tensor, noise: Tensor) -> Tensor:
    """Return 1 where uniform noise is below the probability, -1 elsewhere."""
    return torch.where(noise < probability, 1.0, -1.0).to(probability)
