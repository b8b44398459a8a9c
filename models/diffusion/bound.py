"""The variational bound of Ho, Jain and Abbeel 2020 (arXiv:2006.11239), Eq. 5, in nats and term by term.

It bounds the model that samples: every step from t to t - 1 has the ancestral sampler's mean, from a predicted x_0 kept
in [-1, 1], and its variance, beta tilde_t. At t = 1 that is zero, and the sampler shows the mean; here, as in the
authors' code (github.com/hojonathanho/diffusion, `posterior_log_variance_clipped`), the last step is a Gaussian of
variance beta tilde_2 over the 256 levels.
"""

import itertools
import math

import torch
from torch import Tensor

from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser, draw_like, predicted_x_0


def variational_bound(
    denoiser: Denoiser, process: Process, x_0: Tensor, strata: int, generator: torch.Generator, clip: bool = True
) -> dict[str, Tensor]:
    """An unbiased estimate of the bound's terms "L_T", "L_1:T-1" and "L_0" for 8-bit images: N values each, in nats.

    The sum over t = 2 ... T is estimated from one time in each of `strata` strata, times the stratum's length; T - 1
    strata visit every time. Takes strata + 1 passes. What is drawn: each stratum's times and noise, then that of x_1.
    """
    middle = torch.zeros(len(x_0), dtype=x_0.dtype, device=x_0.device)
    for first, end in itertools.pairwise(borders(process.T, strata)):
        t = first + torch.randint(end - first, (len(x_0),), generator=generator, device=generator.device)
        eps = draw_like(x_0, generator)
        middle += (end - first) * step_term(denoiser, process, x_0, t.to(x_0.device), eps, clip)
    return {
        "L_T": prior_term(process, x_0),
        "L_1:T-1": middle,
        "L_0": decoder_term(denoiser, process, x_0, draw_like(x_0, generator), clip),
    }


def prior_term(process: Process, x_0: Tensor) -> Tensor:
    """L_T = KL(q(x_T | x_0) || N(0, I)), exactly: N values."""
    alpha_bar = process.alpha_bar[process.T].item()
    return 0.5 * (alpha_bar * x_0.square() - alpha_bar - math.log1p(-alpha_bar)).flatten(1).sum(1)


def step_term(denoiser: Denoiser, process: Process, x_0: Tensor, t: Tensor, eps: Tensor, clip: bool = True) -> Tensor:
    """L_t-1 = KL(q(x_t-1 | x_t, x_0) || p(x_t-1 | x_t)) at the x_t that `eps` makes of x_0: N values.

    t: N integers from 2 ... T, one an image.
    """
    shape = (-1,) + (1,) * (x_0.dim() - 1)
    x_t = process.q_sample(x_0, t, eps)
    # Eq. 15, before 'approx'
    predicted = (x_t - process.deviation[t].view(shape) * denoiser(x_t, t)) / process.signal[t].view(shape)
    if clip:
        predicted = predicted.clamp(-1, 1)
    # Eq. 8: both Gaussians have the variance beta tilde_t, and their means differ by Eq. 7's factor of x_0 alone, whose
    # square over beta tilde_t is a difference of signal-to-noise ratios (Kingma et al. 2021, arXiv:2107.00630)
    ratio = process.alpha_bar / (1 - process.alpha_bar)
    weight = 0.5 * (ratio[:-1] - ratio[1:]).to(x_0)[t - 1]
    return weight * (x_0 - predicted).square().flatten(1).sum(1)


def decoder_term(denoiser: Denoiser, process: Process, x_0: Tensor, eps: Tensor, clip: bool = True) -> Tensor:
    """L_0 = -log p(x_0 | x_1) of 8-bit images at the x_1 that `eps` makes of x_0: N values."""
    t = torch.ones(len(x_0), dtype=torch.long, device=x_0.device)
    mean = predicted_x_0(denoiser, process, process.q_sample(x_0, t, eps), 1, clip)
    _, variance = process.posterior(x_0, x_0, 2, 1)
    return -discretized_gaussian_log_likelihood(x_0, mean, x_0.new_tensor(0.5 * math.log(variance)))


def discretized_gaussian_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log p(x) of 8-bit images under a Gaussian integrated over each of the 256 levels, in nats: N values. Eq. 13.

    `x` holds the levels as floats in [-1, 1], N x C x H x W like `mean`; `log_scale`, the logarithm of the standard
    deviation, broadcasts. The outermost levels take the tails, so a pixel's 256 probabilities sum to one.
    """
    centred = (x - mean) * torch.exp(-log_scale)
    half = torch.exp(-log_scale) / 255
    # by symmetry the interval's mirror image left of the mean has the same mass, and its logarithms keep their digits
    upper = torch.special.log_ndtr(half - centred.abs())
    lower = torch.special.log_ndtr(-half - centred.abs())
    inside = upper + torch.log(-torch.expm1(lower - upper))
    log_p = torch.where(
        x < -1 + 1 / 255,
        torch.special.log_ndtr(centred + half),
        torch.where(x > 1 - 1 / 255, torch.special.log_ndtr(half - centred), inside),
    )
    return log_p.flatten(1).sum(1)


def borders(T: int, strata: int) -> list[int]:
    """The first times of the strata that cut 2 ... T, and T + 1: of length 1 at first, then geometrically longer.

    Most of the bound, and of its change from one time to the next, lies at the first few times: on MNIST, 20 strata of
    equal length estimate L_1:T-1 of an image with 50 times the deviation of these.
    """
    return [1 + max(k + 1, round(T ** (k / strata))) for k in range(strata + 1)]
