"""A generator and a discriminator that take labels, around those that do not."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.layers import zeroed


class LabelledGenerator(nn.Module):
    """z (N x latent), y (int64 N) -> images, by a generator of N x 2 latent: z and an embedding of y.

    The embedding has length 1, z about the root of its dimension. Of equal lengths, the labels, of which there are few,
    are learned first, and the generator draws one image of each, whatever z is.
    """

    def __init__(self, generator: nn.Module, classes: int, latent_dim: int) -> None:
        super().__init__()
        self.label = nn.Embedding(classes, latent_dim)
        self.generator = generator

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.generator(torch.cat([z, F.normalize(self.label(y), dim=1)], 1))


class HasFeatures(Protocol):
    """A discriminator whose logit is a linear function, `head`, of its features, N x F."""

    @property
    def head(self) -> nn.Module: ...

    def features(self, x: Tensor) -> Tensor: ...


class ProjectionDiscriminator(nn.Module):
    """Images, y (int64 N) -> logits (N): those of a discriminator, plus the features' product with an embedding of y.

    Miyato and Koyama 2018, cGANs with Projection Discriminator (arXiv:1802.05637). The embeddings start at zero, and so
    the discriminator as the one without labels.
    """

    def __init__(self, discriminator: HasFeatures, classes: int) -> None:
        super().__init__()
        self.discriminator = discriminator
        features = next(discriminator.head.parameters()).shape[1]
        self.label = zeroed(nn.Embedding(classes, features))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.discriminator.features(x)
        return self.discriminator.head(h).flatten() + (self.label(y) * h).sum(1)
