"""The transformer that turns a caption into a vector, by which a network is modulated."""

import torch
from torch import Tensor, nn

from models.networks.layers import zeroed

WIDTH, HEADS, DEPTH = 64, 4, 2


class TextEncoder(nn.Module):
    """Tokens (int64 N x `length`, 0 for none) -> N x `outputs`: zero for a caption without tokens.

    Embeddings of words and of places, `DEPTH` pre-norm layers of Vaswani et al. 2017 (arXiv:1706.03762) with a start
    token, and the mean over the words. The last layer is zero at first, so that a network starts without captions.
    """

    def __init__(self, vocabulary: int, length: int, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn(length + 1, WIDTH))  # the first is the start token
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(DEPTH)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.out = zeroed(nn.Linear(WIDTH, outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        words = tokens != 0
        start = torch.zeros(len(tokens), 1, WIDTH, dtype=self.place.dtype, device=tokens.device)
        h = torch.cat([start, self.embed(tokens)], dim=1) + self.place
        # something to attend to in a caption without words
        hidden = torch.cat([torch.zeros_like(words[:, :1]), ~words], dim=1)
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=hidden)
        count = words.sum(1, keepdim=True)
        mean = (self.norm(h[:, 1:]) * words[..., None]).sum(1) / count.clamp(min=1)
        return self.out(mean) * (count > 0)
