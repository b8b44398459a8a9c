"""Fully connected networks for vectors of few values, and for images as vectors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.autoencoder import ImageShape, LinearEncoder
from models.networks.initial import keep_variance
from models.networks.layers import label_embedding, sinusoidal, with_label, zeroed

TIME = 64  # sines and cosines of the time
OCTAVES = 5  # of the Fourier features, whose shortest wavelength is 2 ** (2 - OCTAVES)


def octaves(x: Tensor) -> Tensor:
    """N x C x H x W -> N x CHW (1 + 2 OCTAVES): the values, and sines and cosines of pi, 2 pi, 4 pi ... times them.

    Without them a perceptron learns last what tells near vectors apart (Tancik et al. 2020, arXiv:2006.10739); Kingma
    et al. 2021 give them to a diffusion model (arXiv:2107.00630).
    """
    x = x.flatten(1).float()
    angle = torch.cat([2**k * math.pi * x for k in range(OCTAVES)], dim=1)
    return torch.cat([x, angle.sin(), angle.cos()], dim=1)


class LinearDiscriminator(nn.Module):
    """Images (N x C x H x W) -> logits (N), by two fully connected hidden layers on `octaves`."""

    def __init__(self, image_shape: ImageShape, hidden: int) -> None:
        super().__init__()
        features = math.prod(image_shape) * (1 + 2 * OCTAVES)
        self.layers = LinearEncoder((features, 1, 1), 1, hidden).apply(keep_variance)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(octaves(x)).flatten()

    @property
    def head(self) -> nn.Module:
        """The last layer, of N x `hidden` features -> N x 1."""
        return self.layers[-1]

    def features(self, x: Tensor) -> Tensor:
        """Images -> the features that the head reads, N x `hidden`."""
        h = octaves(x)
        for layer in list(self.layers)[:-1]:
            h = layer(h)
        return h


class ResidualLayer(nn.Module):
    """x + linear(silu(linear(norm(x)))), the norm scaled and shifted by the time embedding as in the U-Net's blocks."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.linear_1 = nn.Linear(hidden, hidden)
        self.linear_2 = zeroed(nn.Linear(hidden, hidden))
        self.modulation = nn.Linear(hidden, 2 * hidden)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding).chunk(2, dim=1)
        return x + self.linear_2(F.silu(self.linear_1(self.norm(x) * (1 + scale) + shift)))


class ResidualPerceptron(nn.Module):
    """x_t (N x C x H x W), t (N, or N x times) -> eps (N x C x H x W, float32), by `blocks` layers of width `hidden`.

    outputs: channels of the prediction; None: those of the image. classes: of labels that are taken, as by the U-Net.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        hidden: int,
        blocks: int,
        *,
        times: int = 1,
        outputs: int | None = None,
        classes: int = 0,
    ) -> None:
        super().__init__()
        values = math.prod(image_shape)
        self.outputs = outputs or image_shape[0]
        self.embedding = hidden
        self.embed = nn.Sequential(nn.Linear(times * TIME, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.label = label_embedding(classes, hidden)
        self.stem = nn.Linear(values * (1 + 2 * OCTAVES), hidden)
        self.layers = nn.ModuleList(ResidualLayer(hidden) for _ in range(blocks))
        self.norm = nn.LayerNorm(hidden)
        self.out = zeroed(nn.Linear(hidden, self.outputs * math.prod(image_shape[1:])))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return self.predict(x, with_label(self.time_embedding(t), y, self.label))

    def time_embedding(self, t: Tensor) -> Tensor:
        """Times N, or N x times -> N x `self.embedding`, by which every layer is modulated."""
        return self.embed(sinusoidal(t.flatten(), TIME).view(len(t), -1))

    def predict(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The output for inputs x and an embedding, N x `self.embedding`."""
        h = self.stem(octaves(x))
        for layer in self.layers:
            h = layer(h, embedding)
        return self.out(F.silu(self.norm(h))).float().view(len(x), self.outputs, *x.shape[2:])
