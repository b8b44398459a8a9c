"""The distribution of the values in a patch, one after another."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def ordinal_embedding(levels: int, dim: int) -> nn.Embedding:
    """A learned embedding that starts from the first cosines of a discrete cosine transform: near levels are alike."""
    level = torch.arange(levels)[:, None]
    cosines = torch.cos(math.pi * torch.arange(1, dim + 1) * (level + 0.5) / levels)
    return nn.Embedding.from_pretrained(cosines, freeze=False)


class PatchHead(nn.Module):
    """Logits of a patch's next value from features of the patch's place and the values before it in the patch.

    A hidden layer for each of the `places`, which sees the features and the embeddings of the earlier values,
    and one output layer for all.
    """

    def __init__(self, dim: int, places: int, levels: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(dim + place * embedding, hidden) for place in range(places))
        self.out = nn.Linear(hidden, levels)

    def forward(self, h: Tensor, earlier: Tensor) -> Tensor:
        """h (... x dim), the k first values (... x k x embedding) -> float32 logits of value k (... x levels)."""
        hidden = self.hidden[earlier.shape[-2]](torch.cat([h, earlier.flatten(-2)], dim=-1))
        return self.out(F.gelu(hidden)).float()
