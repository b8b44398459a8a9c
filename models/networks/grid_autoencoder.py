"""Encoder and decoder between images and grids of vectors at a quarter of the resolution."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.autoencoder import ImageShape, halvings

LEVELS = 2  # convolutions of stride 2


def grid_shape(image_shape: ImageShape) -> tuple[int, int]:
    """Height and width of an image's grid: a quarter of its sides, rounded up."""
    _, height, width = image_shape
    return halvings(height, LEVELS)[-1], halvings(width, LEVELS)[-1]


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))); van den Oord et al. 2017 (arXiv:1711.00937), Section 4.1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_2(F.relu(self.conv_1(F.relu(x))))


class GridEncoder(nn.Sequential):
    """N x C x H x W -> N x dim x h x w, by two stride-2 convolutions of `width` channels and residual blocks.

    Departure from the paper's Section 4.1: windows of 3 x 3 instead of 4 x 4, which round odd sides up.
    """

    def __init__(self, channels: int, dim: int, width: int, blocks: int) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            *(ResidualBlock(width) for _ in range(blocks)),
            nn.ReLU(), nn.Conv2d(width, dim, 1),
        )  # fmt: skip


class GridDecoder(nn.Module):
    """N x dim x h x w -> N x C x H x W, the mirror image of `GridEncoder`; odd sides are cropped on the way up."""

    def __init__(self, image_shape: ImageShape, dim: int, width: int, blocks: int) -> None:
        super().__init__()
        channels, height, width_px = image_shape
        self.sides = list(zip(halvings(height, LEVELS), halvings(width_px, LEVELS), strict=True))[::-1][1:]
        self.stem = nn.Sequential(
            nn.Conv2d(dim, width, 3, padding=1), *(ResidualBlock(width) for _ in range(blocks)), nn.ReLU()
        )
        self.ups = nn.ModuleList(
            [
                nn.Sequential(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1), nn.ReLU()),
                nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
            ]
        )

    def forward(self, z: Tensor) -> Tensor:
        h = self.stem(z)
        for up, (height, width) in zip(self.ups, self.sides, strict=True):
            h = up(h)[..., :height, :width]
        return h
