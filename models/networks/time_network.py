"""The networks that see an image with a time, by architecture."""

from collections.abc import Sequence

import torch
from torch import nn

from models.networks.autoencoder import Architecture, ImageShape
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet


def time_network(
    architecture: Architecture,
    image_shape: ImageShape,
    *,
    channels: Sequence[int],
    blocks: int,
    patch: int,
    attention: bool,
    hidden: int,
    times: int = 1,
) -> nn.Module:
    """x (N x C x H x W), t (N, or N x times) -> N x C x H x W: a U-Net ("conv") or a `ResidualPerceptron` ("linear").

    Raises ValueError for channels that the U-Net cannot have.
    """
    if architecture == "linear":
        return ResidualPerceptron(image_shape, hidden, blocks, times)
    if channels[0] % 2:
        raise ValueError(f"channels={list(channels)}: the first entry must be even, for sines and cosines of the time")
    return UNet(image_shape[0], channels, blocks, patch, attention, times).to(memory_format=torch.channels_last)
