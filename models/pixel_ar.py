"""Autoregressive model of pixels."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, inference, sampling
from models.losses import bits_per_dim
from models.networks.patch_head import PatchHead, ordinal_embedding
from models.networks.transformer import CausalTransformer
from models.protocols import Bound

EMBEDDING = 16  # numbers that stand for a level


class PixelAR(GenerativeModel):
    """van den Oord et al. 2016, Pixel Recurrent Neural Networks (arXiv:1601.06759): a softmax over 256 levels a value.

    Two departures for speed: a causal transformer in place of the LSTM, and the order of the values. The image is cut
    into patches of `patch` x `patch` pixels; the transformer reads them in raster order, and a small head draws the
    values within a patch one after another (patch=1: the paper's raster scan). The likelihood is exact either way.
    Sizes that `patch` does not divide are padded below and at the right with a known level, which costs no bits.

    dim, depth, heads: see `CausalTransformer`. hidden: width of the head. learning_rate: peak of Adam's rate, reached
    after `warmup` batches and decayed to zero by a half cosine.
    """

    family = "autoregressive-vae"
    LEVELS: ClassVar[int] = 256  # of a value; x = level / 127.5 - 1

    def __init__(
        self,
        data: DataSpec,
        *,
        patch: PositiveInt = 4,
        dim: PositiveInt = 96,
        depth: PositiveInt = 3,
        heads: PositiveInt = 2,
        hidden: PositiveInt = 64,
        learning_rate: PositiveFloat = 4e-3,
        warmup: NonNegativeInt = 100,
    ) -> None:
        super().__init__(data)
        self.patch = patch
        self.learning_rate = learning_rate
        self.warmup = warmup
        channels, height, width = data.image_shape
        self.grid = (-(-height // patch), -(-width // patch))
        positions, places = self.grid[0] * self.grid[1], channels * patch**2
        self.embed = ordinal_embedding(self.LEVELS, EMBEDDING)
        self.enter = nn.Linear(places * EMBEDDING, dim)
        self.transformer = CausalTransformer(positions, dim, depth, heads)
        self.head = PatchHead(dim, places, self.LEVELS, EMBEDDING, hidden)
        # positions x places: 1 where a pixel is, 0 in the padding
        self.real: Tensor
        self.register_buffer("real", self.cut(torch.ones(1, *data.image_shape, dtype=torch.int64))[0], persistent=False)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.transformer, self.head)

    def passes(self) -> int:  # type: ignore[override]  # `sample` has no settings
        return len(self.real) + self.real.numel()  # a patch for the transformer, a value for the head

    def cut(self, values: Tensor) -> Tensor:
        """N x C x H x W -> N x positions x places, zero in the padding."""
        height, width = self.image_shape[1:]
        padded = F.pad(values, (0, -width % self.patch, 0, -height % self.patch))
        return F.pixel_unshuffle(padded, self.patch).flatten(2).transpose(1, 2)

    def levels(self, x: Tensor) -> Tensor:
        """Images -> the levels of their patches, int64 N x positions x places."""
        return self.cut(((x + 1) * ((self.LEVELS - 1) / 2)).round().long())

    def images(self, levels: Tensor) -> Tensor:
        """The inverse of `levels`."""
        height, width = self.image_shape[1:]
        padded = F.pixel_shuffle(levels.transpose(1, 2).unflatten(2, self.grid), self.patch)
        return padded[..., :height, :width] / ((self.LEVELS - 1) / 2) - 1

    def features(self, values: Tensor) -> Tensor:
        """Embedded values (N x positions x places x EMBEDDING) -> N x positions x dim, of the patches before each."""
        # the first position sees zeros, and so its own learned embedding in the transformer alone
        return self.transformer(F.pad(self.enter(values[:, :-1].flatten(2)), (0, 0, 1, 0)))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(x) of images at 8-bit levels, in nats: N values."""
        levels = self.levels(x)
        values = self.embed(levels)
        h = self.features(values)
        log_p = torch.zeros(len(x), device=x.device)
        # Eq. 1 and 2; place by place, since the logits of a whole batch are large
        for place in range(levels.shape[2]):
            logits = self.head(h, values[:, :, :place])
            nats = F.cross_entropy(logits.flatten(0, 1), levels[:, :, place].flatten(), reduction="none")
            log_p = log_p - (nats.view(len(x), -1) * self.real[:, place]).sum(1)
        return log_p

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        loss = -self.log_likelihood(x).mean()
        self.log_losses(loss=loss, bits_per_dim=bits_per_dim(loss, x[0].numel()))
        return loss

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        return [Bound("exact", bits_per_dim(-self.log_likelihood(x), x[0].numel()))]

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        u = torch.rand((*self.real.shape, n), generator=generator, device=generator.device).to(self.device)
        cache = self.transformer.cache(n)
        token = torch.zeros(n, 1, self.transformer.dim, device=self.device)
        patches = []
        for u_patch, real in zip(u, self.real, strict=True):
            patches.append(self.draw_patch(self.transformer(token, cache)[:, 0], u_patch, real))
            token = self.enter(self.embed(patches[-1]).flatten(1))[:, None]
        return self.images(torch.stack(patches, dim=1))

    def draw_patch(self, h: Tensor, u: Tensor, real: Tensor) -> Tensor:
        """Features (N x dim), uniform numbers (places x N), which places are pixels -> levels (N x places)."""
        levels = torch.zeros(len(h), len(u), dtype=torch.int64, device=h.device)
        for place, u_place in enumerate(u):
            cdf = self.head(h, self.embed(levels[:, :place])).softmax(dim=1).cumsum(dim=1)
            # without its last entry, which rounding may leave below u
            levels[:, place] = (cdf[:, :-1] <= u_place[:, None]).sum(1) * real[place]
        return levels
