"""The U-Net of diffusers has as many weights as ours."""

import pytest
import torch

from bench.config.load import load
from bench.runs.build import build_model
from models.base import DataSpec


def test_the_networks_of_the_diffusion_models_have_as_many_weights() -> None:
    from bench.speed.peers.diffusers import unet

    (config,) = load(["preset=quick", "model=ddpm"])

    def weights(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    ours = weights(build_model(config, DataSpec((1, 28, 28))))
    assert weights(unet((1, 28, 28), config.model["channels"])) == pytest.approx(ours, rel=0.1)
