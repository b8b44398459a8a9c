"""The U-Net that predicts the noise of a diffusion model."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.layers import GroupNorm, label_embedding, sinusoidal, with_label, zeroed


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the second norm scaled and shifted by the time embedding.

    Ho et al. 2020, Appendix B; scale and shift after Dhariwal and Nichol 2021 (arXiv:2105.05233), Section 3.1.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = GroupNorm(inputs), GroupNorm(outputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_2 = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm_2(h), 1 + scale)
        return self.skip(x) + self.conv_2(F.silu(h))


class SelfAttention(nn.Module):
    """Attention over the pixels of a feature map, in heads of at most 32 channels, with a residual path."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // 32)
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, height * width)
        query, key, value = qkv.transpose(3, 4).unbind(1)
        attended = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(attended.transpose(2, 3).reshape(n, c, height, width))


class UNet(nn.Module):
    """x_t (N x C x H x W), t (N, or N x times) -> eps (N x C x H x W, float32), or N x `outputs` x H x W.

    `patch` x `patch` pixels become channels on the way in and pixels again on the way out (space to depth), which
    cuts the cost of the first and dearest level by its square. A stage for each entry of `channels`, with `blocks`
    residual blocks on the way down and one more on the way up; each stage but the last halves the resolution. Sizes
    that do not divide are padded on the way in and cropped on the way out. Attention stands at the lowest resolution.
    A U-Net of K `classes` takes labels y as well, int64 N, whose embeddings are added to those of the time; K, or no
    y, stands for no label. One of no classes takes such embeddings themselves as y, N x `embedding`.
    """

    def __init__(
        self,
        image_channels: int,
        channels: Sequence[int],
        blocks: int,
        patch: int,
        attention: bool,
        *,
        times: int = 1,
        outputs: int | None = None,  # channels of the prediction; None: those of the image
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.multiple = patch * 2 ** (len(channels) - 1)
        width, embedding = channels[0], 4 * channels[0]
        self.width, self.embedding = width, embedding
        self.embed = nn.Sequential(
            nn.Linear(times * width, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.label = label_embedding(classes, embedding)
        self.stem = nn.Conv2d(image_channels * patch**2, width, 3, padding=1)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips = [width]
        for stage, size in enumerate(channels):
            for _ in range(blocks):
                self.down.append(ResidualBlock(width, size, embedding))
                skips.append(width := size)
            if stage < len(channels) - 1:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
        self.middle_1 = ResidualBlock(width, width, embedding)
        self.attention = SelfAttention(width) if attention else nn.Identity()
        self.middle_2 = ResidualBlock(width, width, embedding)
        for stage, size in reversed(list(enumerate(channels))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(width + skips.pop(), size, embedding))
                width = size
            if stage > 0:
                self.up.append(nn.Upsample(scale_factor=2))
        self.norm = GroupNorm(width)
        self.out = zeroed(nn.Conv2d(width, (outputs or image_channels) * patch**2, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return self.predict(x, with_label(self.time_embedding(t), y, self.label))

    def time_embedding(self, t: Tensor) -> Tensor:
        """Times N, or N x times -> N x `self.embedding`, by which every residual block is modulated."""
        return self.embed(sinusoidal(t.flatten(), self.width).view(len(t), -1))

    def predict(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The output for inputs x and an embedding, N x `self.embedding`."""
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        x = F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)
        h = self.stem(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
            skips.append(h)
        h = self.middle_2(self.attention(self.middle_1(h, embedding)), embedding)
        for layer in self.up:
            h = layer(torch.cat([h, skips.pop()], dim=1), embedding) if isinstance(layer, ResidualBlock) else layer(h)
        eps = self.out(F.silu(self.norm(h))).float()
        return F.pixel_shuffle(eps, self.patch)[..., :height, :width]
