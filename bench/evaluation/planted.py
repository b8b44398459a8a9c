"""Give real images a known fault: missing modes, few distinct images, or a share of spoiled images.

The report card of the measures (docs/measures.md) and the real-data baselines use these functions, so that both have
the same faults. All functions take and return uint8 images, N x C x H x W.
"""

import math

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.keys import key

WHITE = 255


def blur(images: Tensor, deviation: float) -> Tensor:
    """Convolve with a Gaussian of `deviation` pixels, cut off at four deviations; 0 changes nothing."""
    from torchvision.transforms.v2.functional import gaussian_blur

    size = 2 * math.ceil(4 * deviation) + 1
    return gaussian_blur(images, [size, size], [deviation, deviation]) if deviation else images


def pixel_noise(images: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to every pixel; `deviation` is a share of white."""
    noise = torch.randn(images.shape, generator=generator)
    return (images + WHITE * deviation * noise).round().clamp(0, WHITE).to(torch.uint8)


def blend(images: Tensor, generator: torch.Generator) -> Tensor:
    """Average each image with another of them; no image is its own partner if there are two or more."""
    order = torch.randperm(len(images), generator=generator)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return ((images.int() + images[partner].int() + 1) // 2).to(torch.uint8)


def white_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many images of independent pixels, uniform on 0 .. 255."""
    return torch.randint(0, WHITE + 1, images.shape, generator=generator, dtype=torch.uint8)


def replacement(n: int, share: float, seed: int) -> Tensor:
    """Choose by the seed which of n images are replaced, bool N: `share` of them, rounded to whole images."""
    where = torch.zeros(n, dtype=torch.bool)
    where[torch.from_numpy(np.random.RandomState(key("replacement", seed)).permutation(n)[: round(share * n)])] = True
    return where


def missing_modes(modes: Tensor, share: float, count: int, seed: int) -> Tensor:
    """Return which images remain, bool N, without `share` of `count` modes, rounded up and chosen by the seed.

    modes: int64 N, 0 .. count - 1. Raises EvaluationError if no image remains.
    """
    absent = np.random.RandomState(key("missing modes", seed)).permutation(count)[: math.ceil(share * count)]
    mask = ~torch.isin(modes, torch.from_numpy(absent))
    if not mask.any():
        raise EvaluationError(f"no image is left without {len(absent)} of {count} modes.")
    return mask
