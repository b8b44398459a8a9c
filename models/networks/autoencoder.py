"""Encoders and decoders between images and vectors, convolutional and fully connected."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from models.networks.initial import keep_variance

ImageShape = tuple[int, int, int]
Architecture = Literal["conv", "linear"]


def encoder_and_decoder(
    architecture: Architecture, image_shape: ImageShape, outputs: int, inputs: int, *, width: int, hidden: int
) -> tuple[nn.Module, nn.Module]:
    """Networks N x C x H x W -> N x outputs and N x inputs -> N x C x H x W; "linear" has no use for `width`."""
    encoder: nn.Module
    decoder: nn.Module
    if architecture == "conv":
        encoder = ConvEncoder(image_shape, outputs, width=width, hidden=hidden)
        decoder = ConvDecoder(image_shape, inputs, width=width, hidden=hidden)
    else:
        encoder = LinearEncoder(image_shape, outputs, hidden=hidden)
        decoder = LinearDecoder(image_shape, inputs, hidden=hidden)
    for network in (encoder, decoder):
        network.apply(keep_variance)
        network.to(memory_format=torch.channels_last)  # in which convolutions are faster on CPUs
    return encoder, decoder


def halvings(size: int, levels: int) -> list[int]:
    """The side lengths that `levels` stride-2 convolutions go through, the full one first: 28 -> [28, 14, 7]."""
    sizes = [size]
    for _ in range(levels):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


class ConvEncoder(nn.Sequential):
    """N x C x H x W -> N x outputs, by stride-2 convolutions that double the channels from `width`."""

    def __init__(
        self, image_shape: ImageShape, outputs: int, width: int = 32, levels: int = 2, hidden: int = 256
    ) -> None:
        channels, height, width_px = image_shape
        layers: list[nn.Module] = []
        for level in range(levels):
            layers += [nn.Conv2d(channels, width * 2**level, 3, stride=2, padding=1), nn.SiLU()]
            channels = width * 2**level
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.SiLU()]
        cells = halvings(height, levels)[-1] * halvings(width_px, levels)[-1]
        super().__init__(
            *layers, nn.Flatten(), nn.Linear(channels * cells, hidden), nn.SiLU(), nn.Linear(hidden, outputs)
        )


class ConvDecoder(nn.Module):
    """N x inputs -> N x C x H x W, the mirror image of `ConvEncoder`; odd sizes are cropped on the way up."""

    def __init__(
        self, image_shape: ImageShape, inputs: int, width: int = 32, levels: int = 2, hidden: int = 256
    ) -> None:
        super().__init__()
        channels, height, width_px = image_shape
        self.sides = list(zip(halvings(height, levels), halvings(width_px, levels), strict=True))[::-1]
        top = width * 2 ** (levels - 1)
        self.stem = nn.Sequential(
            nn.Linear(inputs, hidden), nn.SiLU(),
            nn.Linear(hidden, top * math.prod(self.sides[0])), nn.SiLU(),
            nn.Unflatten(1, (top, *self.sides[0])),
        )  # fmt: skip
        self.ups = nn.ModuleList()
        for level in reversed(range(levels)):
            outputs = width * 2 ** max(level - 1, 0)
            self.ups.append(
                nn.Sequential(
                    nn.Conv2d(top, top, 3, padding=1), nn.SiLU(),
                    nn.ConvTranspose2d(top, outputs, 4, stride=2, padding=1), nn.SiLU(),
                )
            )  # fmt: skip
            top = outputs
        self.out = nn.Conv2d(top, channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.stem(z)
        for up, (height, width) in zip(self.ups, self.sides[1:], strict=True):
            h = up(h)[..., :height, :width]
        return self.out(h)


class LinearEncoder(nn.Sequential):
    """N x C x H x W -> N x outputs, by two fully connected hidden layers."""

    def __init__(self, image_shape: ImageShape, outputs: int, hidden: int = 512) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, outputs),
        )  # fmt: skip


class LinearDecoder(nn.Sequential):
    """N x inputs -> N x C x H x W, the mirror image of `LinearEncoder`."""

    def __init__(self, image_shape: ImageShape, inputs: int, hidden: int = 512) -> None:
        super().__init__(
            nn.Linear(inputs, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, math.prod(image_shape)),
            nn.Unflatten(1, image_shape),
        )  # fmt: skip
