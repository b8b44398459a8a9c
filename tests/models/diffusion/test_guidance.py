"""Autoguidance is the good model at weight 1, the bad one at 0, and the closed form between two Gaussians."""

import torch
from torch import Tensor

from models.diffusion.guidance import autoguided
from models.diffusion.process import Process, cosine_beta
from models.diffusion.samplers import Denoiser

PROCESS = Process(cosine_beta(50))


def gaussian(variance: float) -> Denoiser:
    """The exact denoiser of images of independent N(0, variance) pixels."""

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = PROCESS.alpha_bar[t].view(-1, 1, 1, 1).float()
        return x * (1 - alpha_bar).sqrt() / (alpha_bar * variance + 1 - alpha_bar)

    return denoiser


def test_weights_0_and_1_are_the_two_denoisers() -> None:
    good, bad = gaussian(0.5), gaussian(2.0)
    x, t = torch.randn(4, 1, 3, 3), torch.tensor([1, 10, 30, 50])
    torch.testing.assert_close(autoguided(good, bad, 0.0)(x, t), bad(x, t))
    torch.testing.assert_close(autoguided(good, bad, 1.0)(x, t), good(x, t))


def test_the_guided_image_is_the_extrapolated_one_of_equation_3() -> None:
    good, bad, weight = gaussian(0.5), gaussian(2.0), 2.5
    x, t = torch.randn(3, 1, 3, 3), 20
    times = torch.full((3,), t)
    images = [PROCESS.predict_x_0(x, t, eps(x, times)) for eps in (good, bad, autoguided(good, bad, weight))]
    torch.testing.assert_close(images[2], weight * images[0] + (1 - weight) * images[1])


def test_a_model_is_not_changed_by_guidance_with_itself() -> None:
    good = gaussian(0.7)
    x, t = torch.randn(3, 1, 3, 3), torch.full((3,), 20)
    torch.testing.assert_close(autoguided(good, good, 3.0)(x, t), good(x, t))
