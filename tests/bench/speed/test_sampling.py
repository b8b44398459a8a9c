"""Both sides of the comparison draw the same samples."""

from typing import Any

import torch

from bench.speed.sampling import AsUNet2D
from models.base import DataSpec
from models.ddpm import DDPM


def test_the_pipeline_of_diffusers_draws_what_our_sampler_draws() -> None:
    """The same noise in the same order; their variance of the last steps differs by rounding alone."""
    from diffusers import DDPMPipeline, DDPMScheduler

    model = DDPM(DataSpec((1, 8, 8)), channels=[8, 8], T=20)
    for parameter in model.denoiser.parameters():  # the last layer starts at zero
        torch.nn.init.normal_(parameter, std=0.05)
    scheduler = DDPMScheduler(20, beta_start=1e-4, beta_end=0.02, clip_sample=True)
    pipeline: Any = DDPMPipeline(AsUNet2D(model.eval().denoiser, (1, 8, 8)), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(3, torch.Generator().manual_seed(0), num_inference_steps=20, output_type="np").images
    ours = model.sample(3, torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(drawn).permute(0, 3, 1, 2) * 2 - 1
    torch.testing.assert_close(ours, theirs.clamp(-1, 1), rtol=0, atol=1e-4)
