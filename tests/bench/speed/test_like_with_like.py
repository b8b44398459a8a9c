"""Both sides of a comparison compute the same, or have what is claimed to be the same size."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.config.load import load
from bench.evaluation.features.registry import load_extractor
from bench.runs.build import build_model
from bench.speed import evaluation
from bench.speed.sampling import AsUNet2D
from models.ddpm import DDPM


def test_the_evaluators_give_equal_figures() -> None:
    real, generated = evaluation.two_sets(400)
    extractor = load_extractor("mnist-cnn")
    y, x = extractor(generated), extractor(real)
    ours = evaluation.ours(y, x)
    theirs = evaluation.by_torch_fidelity(generated, real, extractor)
    theirs["coverage"] = evaluation.by_prdc(y, x)["coverage"]
    assert set(ours) == set(theirs) == set(evaluation.FIGURES)
    for name in evaluation.FIGURES:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5), name
    assert evaluation.by_pytorch_fid(y, x) == pytest.approx(ours["fid"], rel=1e-6)
    assert 0.1 < ours["recall"] < 1  # neither equal nor apart


def test_the_networks_of_the_diffusion_models_have_as_many_weights() -> None:
    from bench.speed.peers.diffusers import unet

    (config,) = load(["preset=quick", "model=ddpm"])

    def weights(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    ours = weights(build_model(config, (1, 28, 28)))
    assert weights(unet((1, 28, 28), config.model["channels"])) == pytest.approx(ours, rel=0.1)


def test_the_pipeline_of_diffusers_draws_what_our_sampler_draws() -> None:
    """The same noise in the same order; their variance of the last steps differs by rounding alone."""
    from diffusers import DDPMPipeline, DDPMScheduler

    model = DDPM((1, 8, 8), channels=[8, 8], T=20)
    for parameter in model.denoiser.parameters():  # the last layer starts at zero
        torch.nn.init.normal_(parameter, std=0.05)
    scheduler = DDPMScheduler(20, beta_start=1e-4, beta_end=0.02, clip_sample=True)
    pipeline: Any = DDPMPipeline(AsUNet2D(model.eval().denoiser, (1, 8, 8)), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(3, torch.Generator().manual_seed(0), num_inference_steps=20, output_type="np").images
    ours = model.sample(3, torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(drawn).permute(0, 3, 1, 2) * 2 - 1
    torch.testing.assert_close(ours, theirs.clamp(-1, 1), rtol=0, atol=1e-4)


def test_pythae_trains_our_networks(tmp_path: Path) -> None:
    """An epoch moves the very weights that it was given."""
    from bench.speed.peers.pythae import BATCHES, Pythae
    from models.networks.autoencoder import encoder_and_decoder

    encoder, decoder = encoder_and_decoder("linear", (1, 4, 4), 4, 2, width=4, hidden=8)
    before = [parameter.clone() for net in (encoder, decoder) for parameter in net.parameters()]
    images = torch.randint(256, (500, 1, 4, 4), dtype=torch.uint8)
    assert Pythae(images, encoder, decoder, 8, tmp_path, latent_dim=2).turn(1, 0.0) == BATCHES * 8
    after = [parameter for net in (encoder, decoder) for parameter in net.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
