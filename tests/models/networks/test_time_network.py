"""The architecture decides the network, and only what it uses is checked."""

from typing import Any

import pytest
import torch

from models.networks.autoencoder import Architecture
from models.networks.perceptron import ResidualPerceptron
from models.networks.time_network import time_network
from models.networks.unet import UNet

SHAPE = (1, 6, 5)
SETTINGS: dict[str, Any] = {"channels": [8, 16], "blocks": 1, "patch": 2, "attention": False, "hidden": 8}
BOTH: list[tuple[Architecture, type]] = [("conv", UNet), ("linear", ResidualPerceptron)]


@pytest.mark.parametrize(("architecture", "kind"), BOTH)
@pytest.mark.parametrize("times", [1, 2])
def test_a_network_maps_images_with_their_times_to_images(architecture: Architecture, kind: type, times: int) -> None:
    network = time_network(architecture, SHAPE, **SETTINGS, times=times)
    assert isinstance(network, kind)
    assert network(torch.randn(3, *SHAPE), torch.rand(3, times)).shape == (3, *SHAPE)


def test_an_odd_first_width_is_refused_where_it_is_used() -> None:
    odd = SETTINGS | {"channels": [7]}
    with pytest.raises(ValueError, match=r"channels=\[7\]: the first entry must be even"):
        time_network("conv", SHAPE, **odd)
    assert isinstance(time_network("linear", SHAPE, **odd), ResidualPerceptron)


@pytest.mark.parametrize(("architecture", "kind"), BOTH)
@torch.no_grad()
def test_every_channel_of_the_prediction_is_its_own(architecture: Architecture, kind: type) -> None:
    network = time_network(architecture, (3, 5, 7), **SETTINGS, outputs=6)
    torch.nn.init.normal_(network.get_parameter("out.weight"))
    predicted = network(torch.randn(2, 3, 5, 7), torch.tensor([1, 9]))
    assert predicted.shape == (2, 6, 5, 7)
    assert predicted.dtype == torch.float32
    assert predicted.std((0, 2, 3)).min() > 0
