"""Discriminators of a denoising step: is x_s what the process may have been before x_t?"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.autoencoder import ImageShape, LinearEncoder, halvings
from models.networks.initial import keep_variance
from models.networks.layers import sinusoidal
from models.networks.perceptron import OCTAVES, TIME, octaves


class PairDiscriminator(nn.Module):
    """x_s, x_t (N x C x H x W each), t (N) -> logits (N), by DCGAN's discriminator of both images.

    The embedding of t shifts the features of each strided convolution (Xiao, Kreis and Vahdat 2022, arXiv:2112.07804,
    Appendix C). No normalisation, which the gradient penalty of single images does not allow; the initial weights keep
    the signal's size instead, since a faint discriminator learns later than the generator.
    """

    def __init__(self, image_shape: ImageShape, width: int) -> None:
        super().__init__()
        channels, height, width_px = image_shape
        widths = [2 * channels, width, 2 * width, 4 * width]
        self.embed = nn.Sequential(nn.Linear(TIME, 4 * width), nn.SiLU())
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1) for inputs, outputs in itertools.pairwise(widths)
        )
        self.shifts = nn.ModuleList(nn.Linear(4 * width, outputs) for outputs in widths[1:])
        self.out = nn.Linear(4 * width * halvings(height, 3)[-1] * halvings(width_px, 3)[-1], 1)
        self.apply(keep_variance)

    def forward(self, x_s: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        embedding = self.embed(sinusoidal(t, TIME))
        h = torch.cat([x_s, x_t], dim=1)
        for convolution, shift in zip(self.convolutions, self.shifts, strict=True):
            h = F.leaky_relu(convolution(h) + shift(embedding)[:, :, None, None], 0.2)
        return self.out(h.flatten(1)).flatten()


class LinearPairDiscriminator(nn.Module):
    """x_s, x_t (N x C x H x W each), t (N) -> logits (N), by two fully connected hidden layers on their `octaves`."""

    def __init__(self, image_shape: ImageShape, hidden: int) -> None:
        super().__init__()
        features = 2 * math.prod(image_shape) * (1 + 2 * OCTAVES) + TIME
        self.layers = LinearEncoder((features, 1, 1), 1, hidden).apply(keep_variance)

    def forward(self, x_s: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        return self.layers(torch.cat([octaves(x_s), octaves(x_t), sinusoidal(t, TIME)], dim=1)).flatten()
