"""Guidance: denoisers made of two."""

from torch import Tensor

from models.diffusion.samplers import Denoiser


def autoguided(good: Denoiser, bad: Denoiser, weight: float) -> Denoiser:
    """Return the denoiser that leads away from the errors that a worse denoiser makes more of.

    Karras et al. 2024, Guiding a Diffusion Model with a Bad Version of Itself (arXiv:2406.02507). weight: 1 is `good`
    alone, larger extrapolates, 0 is `bad` alone. The paper's Eq. 3 is in terms of the predicted images, which are
    linear in eps at one x_t, so it holds for eps too.
    """

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        eps_0, eps_1 = bad(x, t), good(x, t)
        # Eq. 3: D_w = w D_1 + (1 - w) D_0
        return eps_0 + weight * (eps_1 - eps_0)

    return denoiser
