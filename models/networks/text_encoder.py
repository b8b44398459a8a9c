"""The transformer that turns a caption into a vector, by which a network is modulated."""

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, DEPTH = 64, 4, 2
NEIGHBOURS = 3  # words on each side that a word is told of: a digit's phrase has at most as many before it


class TextEncoder(nn.Module):
    """Tokens (int64 N x length, 0 for none) -> N x `outputs`: zero for a caption without tokens.

    Embeddings of words, a convolution over their neighbours, `DEPTH` pre-norm layers of Vaswani et al. 2017
    (arXiv:1706.03762), and the mean over the words. The convolution stands for embeddings of places, as in Baevski et
    al. 2020 (arXiv:2006.11477): it tells which words belong together, and nothing depends on where a phrase stands.
    """

    def __init__(self, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH, padding_idx=0)
        self.neighbours = nn.Conv1d(WIDTH, WIDTH, 2 * NEIGHBOURS + 1, padding=NEIGHBOURS)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(DEPTH)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        words = tokens != 0
        h = self.embed(tokens)
        h = h + F.gelu(self.neighbours(h.transpose(1, 2))).transpose(1, 2)
        h = F.pad(h, (0, 0, 1, 0))  # a first token, so that a caption without words has something to attend to
        hidden = F.pad(~words, (1, 0))
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=hidden)
        count = words.sum(1, keepdim=True)
        mean = (self.norm(h[:, 1:]) * words[..., None]).sum(1) / count.clamp(min=1)
        return self.out(mean) * (count > 0)
