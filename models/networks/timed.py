"""Choose the network of an image and a time that diffusion models train."""

from collections.abc import Sequence

import torch
from torch import nn

from models.networks.autoencoder import Architecture, ImageShape
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet


def timed_network(
    image_shape: ImageShape,
    architecture: Architecture,
    *,
    channels: Sequence[int],
    blocks: int,
    patch: int,
    attention: bool,
    hidden: int,
    outputs: int | None = None,
) -> nn.Module:
    """Return a `UNet` ("conv") or a `ResidualPerceptron` ("linear"); ValueError for channels without a time embedding.

    outputs: channels of the prediction; None: those of the image.
    """
    if architecture == "linear":
        return ResidualPerceptron(image_shape, hidden, blocks, outputs)
    if channels[0] % 2:
        raise ValueError(f"channels={channels}: the first entry must be even, for sines and cosines of the time")
    unet = UNet(image_shape[0], channels, blocks, patch, attention, outputs)
    return unet.to(memory_format=torch.channels_last)
