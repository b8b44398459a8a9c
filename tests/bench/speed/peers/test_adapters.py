"""Other libraries run our denoiser: their samplers draw what ours draws, and their losses are those of its noise."""

from typing import Any

import pytest
import torch

from bench.speed.peers.adapters import AsUnet, AsUNet2D
from models.base import DataSpec
from models.ddpm import DDPM


@pytest.fixture
def model() -> DDPM:
    ddpm = DDPM(DataSpec((1, 8, 8)), channels=[8, 8], T=20)
    for parameter in ddpm.denoiser.parameters():  # the last layer starts at zero
        torch.nn.init.normal_(parameter, std=0.05)
    return ddpm.eval()


def test_the_pipeline_of_diffusers_draws_what_our_sampler_draws(model: DDPM) -> None:
    """The same noise in the same order; their variance of the last steps differs by rounding alone."""
    from diffusers import DDPMPipeline, DDPMScheduler

    scheduler = DDPMScheduler(20, beta_start=1e-4, beta_end=0.02, clip_sample=True)
    pipeline: Any = DDPMPipeline(AsUNet2D(model.denoiser, (1, 8, 8)), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(3, torch.Generator().manual_seed(0), num_inference_steps=20, output_type="np").images
    ours = model.sample(3, torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(drawn).permute(0, 3, 1, 2) * 2 - 1
    torch.testing.assert_close(ours, theirs.clamp(-1, 1), rtol=0, atol=1e-4)


def test_the_process_of_denoising_diffusion_pytorch_asks_our_denoiser_for_the_same_times(model: DDPM) -> None:
    from denoising_diffusion_pytorch import GaussianDiffusion

    process = GaussianDiffusion(
        AsUnet(model.denoiser, (1, 8, 8)), image_size=(8, 8), timesteps=20, objective="pred_noise",
        auto_normalize=False,
    )  # fmt: skip
    x, noise, times = torch.rand(4, 1, 8, 8), torch.randn(4, 1, 8, 8), torch.tensor([0, 3, 10, 19])
    x_t = process.q_sample(x, times, noise)
    error = (model.denoiser(x_t, times + 1) - noise).square().mean()
    torch.testing.assert_close(process.p_losses(x, times, noise), error)
