"""Guidance: denoisers made of two."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser


def autoguided(good: Denoiser, bad: Denoiser, weight: float, guided: Callable[[Tensor], bool]) -> Denoiser:
    """Return the denoiser that leads away from the errors that a worse denoiser makes more of.

    Karras et al. 2024, Guiding a Diffusion Model with a Bad Version of Itself (arXiv:2406.02507). weight: 1 is `good`
    alone, larger extrapolates, 0 is `bad` alone. The paper's Eq. 3 is in terms of the predicted images, which are
    linear in eps at one x_t, so it holds for eps too. guided: whether the times of a batch, all equal, are guided;
    `good` is alone at others.
    """

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        if not guided(t):
            return good(x, t)
        eps_0, eps_1 = bad(x, t), good(x, t)
        # Eq. 3: D_w = w D_1 + (1 - w) D_0
        return eps_0 + weight * (eps_1 - eps_0)

    return denoiser


def classifier_guided(
    denoiser: Denoiser,
    classifier: Denoiser,
    process: Process,
    labels: Tensor,
    w: float,
    guided: Callable[[Tensor], bool],
) -> Denoiser:
    """Return the denoiser of given labels (N) that a classifier of noisy images makes of one without labels.

    Dhariwal and Nichol 2021 (arXiv:2105.05233), Algorithm 2, with the scale 1 + w: w = 0 is Bayes' rule, the
    conditional denoiser itself, as in `models.conditional.classifier_free`; times that are not guided have w = 0.
    classifier: x_t, t -> logits, N x classes.
    """

    def conditional(x: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x_t = x.detach().requires_grad_()
            log_p = F.log_softmax(classifier(x_t, t), 1).gather(1, labels[:, None]).sum()
            (gradient,) = torch.autograd.grad(log_p, x_t)
        scale = (1 + w if guided(t) else 1) * process.deviation[t].view(-1, 1, 1, 1)
        return denoiser(x, t) - scale * gradient

    return conditional
