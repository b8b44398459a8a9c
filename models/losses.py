"""Losses: pure functions of tensors, in nats unless said otherwise."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)) for each row of N x D tensors, in nats: N values.

    Kingma and Welling 2014 (arXiv:1312.6114), Appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def discretized_logistic_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log p(x) of 8-bit images under a logistic integrated over each of the 256 levels, in nats: N values.

    `x` holds the levels as floats in [-1, 1] (level / 127.5 - 1), N x C x H x W like `mean`; `log_scale` broadcasts.
    The outermost levels take the tails, so the 256 probabilities of a pixel sum to one. Salimans et al. 2017
    (PixelCNN++, arXiv:1701.05517), Eq. 2 with one component.
    """
    centred = (x - mean) * torch.exp(-log_scale)
    half = torch.exp(-log_scale) / 255
    above, below = centred + half, centred - half
    # log(sigmoid(above) - sigmoid(below)), exact and stable on both sides of the mean
    inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 * half))
    log_p = torch.where(
        x < -1 + 1 / 255, F.logsigmoid(above), torch.where(x > 1 - 1 / 255, F.logsigmoid(-below), inside)
    )
    return log_p.flatten(1).sum(1)


def bits_per_dim(nats: Tensor, dimensions: int) -> Tensor:
    """Nats for a whole image -> bits for each of its `dimensions` (C x H x W)."""
    return nats / (dimensions * math.log(2))


def discriminator_non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss from its logits on real and generated images; Goodfellow et al. 2014, Eq. 1, negated."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_non_saturating(fake: Tensor) -> Tensor:
    """The generator's loss -log D(G(z)) from logits; Goodfellow et al. 2014 (arXiv:1406.2661), end of Section 3."""
    return F.softplus(-fake).mean()


def relativistic(preferred: Tensor, other: Tensor) -> Tensor:
    """The loss of a player who wants the first of each pair of logits above the second: N and N -> their mean.

    Jolicoeur-Martineau 2019 (arXiv:1807.00734), with f(t) = -softplus(-t) as in Huang et al. 2025 (arXiv:2501.05441),
    Eq. 2. The discriminator prefers the real image of a pair, the generator its own.
    """
    return F.softplus(other - preferred).mean()


def gradient_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """E ||grad_x D(x)||^2 on images that require a gradient, without its gamma / 2: R1 on real ones, R2 on generated.

    Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), Eqs. 9 and 10.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
