"""Classifiers that see noisy images with their time, for classifier guidance."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.autoencoder import Architecture, ImageShape
from models.networks.layers import GroupNorm, sinusoidal
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import ResidualBlock


class TimeClassifier(nn.Module):
    """x_t (N x C x H x W), t (N) -> logits (N x classes, float32): the way down of the U-Net, averaged over pixels.

    Dhariwal and Nichol 2021 (arXiv:2105.05233) use the same half of their U-Net.
    """

    def __init__(self, image_channels: int, classes: int, channels: Sequence[int], blocks: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.multiple = patch * 2 ** (len(channels) - 1)
        self.width, embedding = channels[0], 4 * channels[0]
        self.embed = nn.Sequential(
            nn.Linear(self.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        width = channels[0]
        self.stem = nn.Conv2d(image_channels * patch**2, width, 3, padding=1)
        self.layers = nn.ModuleList()
        for stage, size in enumerate(channels):
            for _ in range(blocks):
                self.layers.append(ResidualBlock(width, size, embedding))
                width = size
            if stage < len(channels) - 1:
                self.layers.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
        self.norm = GroupNorm(width)
        self.out = nn.Linear(width, classes)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        embedding = self.embed(sinusoidal(t, self.width))
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        h = self.stem(F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last))
        for layer in self.layers:
            h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
        return self.out(F.silu(self.norm(h)).mean((2, 3))).float()


class PerceptronTimeClassifier(ResidualPerceptron):
    """x_t (N x C x H x W), t (N) -> logits (N x classes, float32), by the layers of a `ResidualPerceptron`."""

    def __init__(self, image_shape: ImageShape, classes: int, hidden: int, blocks: int) -> None:
        super().__init__((math.prod(image_shape), 1, 1), hidden, blocks, outputs=classes)

    def predict(self, x: Tensor, embedding: Tensor) -> Tensor:
        return super().predict(x.flatten(1)[:, :, None, None], embedding).flatten(1)


def time_classifier(
    architecture: Architecture,
    image_shape: ImageShape,
    classes: int,
    *,
    channels: Sequence[int],
    blocks: int,
    patch: int,
    hidden: int,
) -> nn.Module:
    """Return a `TimeClassifier` ("conv") or a `PerceptronTimeClassifier` ("linear")."""
    if architecture == "linear":
        return PerceptronTimeClassifier(image_shape, classes, hidden, blocks)
    network = TimeClassifier(image_shape[0], classes, channels, blocks, patch)
    return network.to(memory_format=torch.channels_last)
