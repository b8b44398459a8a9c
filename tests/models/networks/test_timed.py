"""The network of a diffusion model: which one an architecture means, and how many channels it predicts."""

from typing import Any

import pytest
import torch

from models.networks.perceptron import ResidualPerceptron
from models.networks.timed import timed_network
from models.networks.unet import UNet

SETTINGS: dict[str, Any] = {"channels": [8, 16], "blocks": 1, "patch": 2, "attention": False, "hidden": 16}


@pytest.mark.parametrize(("architecture", "kind"), [("conv", UNet), ("linear", ResidualPerceptron)])
@pytest.mark.parametrize("outputs", [None, 6])
@torch.no_grad()
def test_an_architecture_is_its_network_with_as_many_channels_as_it_predicts(
    architecture: Any, kind: type, outputs: int | None
) -> None:
    network = timed_network((3, 5, 7), architecture, **SETTINGS, outputs=outputs)
    assert isinstance(network, kind)
    x, t = torch.randn(2, 3, 5, 7), torch.tensor([1, 9])
    torch.nn.init.normal_(network.get_parameter("out.weight"))
    predicted = network(x, t)
    assert predicted.shape == (2, outputs or 3, 5, 7)
    assert predicted.dtype == torch.float32
    assert predicted.std((0, 2, 3)).min() > 0, "every channel is its own"


def test_a_u_net_of_an_odd_width_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"channels=\[7\]"):
        timed_network((1, 5, 7), "conv", **SETTINGS | {"channels": [7]})
    timed_network((1, 5, 7), "linear", **SETTINGS | {"channels": [7]})
