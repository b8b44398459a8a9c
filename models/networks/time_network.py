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
    outputs: int | None = None,
    classes: int = 0,
) -> nn.Module:
    """Return a U-Net ("conv") or a `ResidualPerceptron` ("linear") of images N x C x H x W and times N, or N x times.

    outputs: channels of the prediction; None: C. classes: of labels N, which it takes as well (0: none). Raises
    ValueError for channels that the U-Net cannot have.
    """
    if architecture == "linear":
        return ResidualPerceptron(image_shape, hidden, blocks, times=times, outputs=outputs, classes=classes)
    if channels[0] % 2:
        raise ValueError(f"channels={list(channels)}: the first entry must be even, for sines and cosines of the time")
    unet = UNet(image_shape[0], channels, blocks, patch, attention, times=times, outputs=outputs, classes=classes)
    return unet.to(memory_format=torch.channels_last)
