"""The initial weights, by what they are for: a signal that neither vanishes nor explodes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.networks.autoencoder import ConvDecoder, ConvEncoder, LinearDecoder, LinearEncoder
from models.networks.initial import keep_variance

SHAPE = (1, 28, 28)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(200, 300), (64, 200)),
        (nn.Conv2d(40, 60, 3, padding=1), (4, 40, 16, 16)),
        (nn.ConvTranspose2d(40, 60, 4, stride=2, padding=1), (4, 40, 16, 16)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_layer_keeps_the_power_of_what_relu_gives_it(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """Standard normal before ReLU, standard normal size after the layer; borders, which see less, left out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        y = layer.apply(keep_variance)(F.relu(torch.randn(shape)))
    inner = y if y.ndim == 2 else y[..., 1:-1, 1:-1]
    assert inner.square().mean().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("linear", [False, True])
def test_the_whole_autoencoder_passes_differences_between_images_on(linear: bool) -> None:
    """With PyTorch's own weights a hundredth of the input's deviation does not arrive."""
    encoder, decoder = (LinearEncoder, LinearDecoder) if linear else (ConvEncoder, ConvDecoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, x = nn.Sequential(encoder(SHAPE, 16), decoder(SHAPE, 16)), torch.randn(64, *SHAPE)
        before = network(x).std(0).mean().item()
        after = network.apply(keep_variance)(x).std(0).mean().item()
    assert before < 0.01
    assert 0.02 < after < 1
