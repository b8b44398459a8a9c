"""The forward process of denoising diffusion models, in closed form (Ho, Jain and Abbeel 2020, arXiv:2006.11239)."""

import math

import torch
from torch import Tensor, nn


def linear_beta(T: int, beta_1: float = 1e-4, beta_T: float = 0.02) -> Tensor:
    """Section 4: variances rising linearly; float64, T values, beta_1 first."""
    return torch.linspace(beta_1, beta_T, T, dtype=torch.float64)


def cosine_beta(T: int, offset: float = 0.008, most: float = 0.999) -> Tensor:
    """Variances that make alpha_bar fall as a squared cosine, none above `most`; float64, T values, beta_1 first.

    Nichol and Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models (arXiv:2102.09672), Section 3.2: small
    images are noise well before the end of the linear schedule.
    """
    t = torch.arange(T + 1, dtype=torch.float64) / T
    # Eq. 17
    alpha_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=most)


def sigma_beta(sigmas: Tensor) -> Tensor:
    """Variances whose process has these rising noise levels sigma_t beside an image of unit scale; float64, T values.

    The variance-exploding process y_t = x_0 + sigma_t eps of Song and Ermon 2019 (arXiv:1907.05600) is the process of
    these variances in other units: x_t = y_t / sqrt(1 + sigma_t^2), so that alpha_bar_t = 1 / (1 + sigma_t^2).
    """
    precision = 1 + torch.cat([torch.zeros(1, dtype=torch.float64), sigmas.double()]).square()
    return 1 - precision[:-1] / precision[1:]


def vp_beta(T: int, beta_min: float = 0.1, beta_max: float = 20.0, start: float = 1e-3) -> Tensor:
    """Variances of T equal steps through the variance-preserving SDE from time `start` to 1; float64, T values.

    Song et al. 2021 (arXiv:2011.13456), Appendix C, at the few times of Xiao, Kreis and Vahdat 2022 (arXiv:2112.07804):
    the end of the process is the same for every T, and few steps are long ones.
    """
    time = start + (1 - start) * torch.arange(T + 1, dtype=torch.float64) / T
    # the logarithm of the share of the signal's variance that is left at each time
    log_alpha_bar = -0.5 * time.square() * (beta_max - beta_min) - time * beta_min
    return -torch.expm1(log_alpha_bar[1:] - log_alpha_bar[:-1])


class Process(nn.Module):
    """q(x_1, ..., x_T | x_0) for given variances.

    Times keep the paper's count: t = 0 is the data, t = 1 ... T the noise levels, and `alpha_bar[0]` is 1, so that any
    pair s < t describes a step. `alpha_bar` and `half_log_snr` are float64 tables on the CPU: samplers read Python
    floats from them. It has no parameters; the two float32 buffers only follow the model to its device for `q_sample`.
    """

    signal: Tensor
    deviation: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__()
        self.T = len(beta)
        self.alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - beta.double(), 0)])
        # lambda / 2 of Kingma et al. 2021: log(signal / deviation), infinite at t = 0
        self.half_log_snr = (self.alpha_bar.log() - torch.log1p(-self.alpha_bar)) / 2
        self.register_buffer("signal", self.alpha_bar.sqrt().float(), persistent=False)
        self.register_buffer("deviation", (1 - self.alpha_bar).sqrt().float(), persistent=False)

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t of q(x_t | x_0) for images N x C x H x W, times N (integers 0 ... T) and standard normal `eps`."""
        shape = (-1,) + (1,) * (x_0.dim() - 1)
        # Eq. 4
        return self.signal[t].view(shape) * x_0 + self.deviation[t].view(shape) * eps

    def snr(self, t: Tensor) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar) at the times `t` (N, integers 1 ... T)."""
        return (self.signal[t] / self.deviation[t]).square()

    def predict_x_0(self, x_t: Tensor, t: int, eps: Tensor) -> Tensor:
        """The x_0 that `q_sample` would have turned into x_t with this `eps`."""
        alpha_bar = self.alpha_bar[t].item()
        # Eq. 15, before 'approx'
        return (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5

    def predict_eps(self, x_t: Tensor, t: int, x_0: Tensor) -> Tensor:
        """The inverse of `predict_x_0`."""
        alpha_bar = self.alpha_bar[t].item()
        return (x_t - alpha_bar**0.5 * x_0) / (1 - alpha_bar) ** 0.5

    def posterior(self, x_t: Tensor, x_0: Tensor, t: int, s: int) -> tuple[Tensor, float]:
        """Mean and variance of q(x_s | x_t, x_0) for s < t: Ho et al. for s = t - 1, and any longer step."""
        alpha_bar_t, alpha_bar_s = self.alpha_bar[t].item(), self.alpha_bar[s].item()
        alpha = alpha_bar_t / alpha_bar_s
        beta = 1 - alpha
        # Eq. 7
        of_x_0 = alpha_bar_s**0.5 * beta / (1 - alpha_bar_t)
        of_x_t = alpha**0.5 * (1 - alpha_bar_s) / (1 - alpha_bar_t)
        mean = of_x_0 * x_0 + of_x_t * x_t
        variance = (1 - alpha_bar_s) / (1 - alpha_bar_t) * beta
        return mean, variance
