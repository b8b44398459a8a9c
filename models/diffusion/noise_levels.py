"""Choose the noise levels and the step size of annealed Langevin dynamics by the rules of Song and Ermon 2020.

Improved Techniques for Training Score-Based Generative Models (arXiv:2006.09011), Techniques 1, 2 and 4. Its sigma_1 >
... > sigma_L fall. Here they rise, as the noise levels of a `Process` do: `sigma_max` is sigma_1, `sigma_min` sigma_L.
The paper's images are in [0, 1]; in [-1, 1] every sigma is twice as large, and the step size four times.
"""

import math

import torch
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

FEWEST = 5  # dimensions at which Technique 2 has a ratio: sqrt(2D) > 3


def largest_distance(x: Tensor, chunk: int = 1000) -> float:
    """Return the largest Euclidean distance of two of N images: Technique 1, what sigma_1 should be."""
    rows = x.flatten(1).float()
    return max(torch.cdist(part, rows).max().item() for part in rows.split(chunk))


def overlapping_ratio(dimensions: int, overlap: float = 0.5) -> float:
    """Return the ratio g of a noise level to the next lower one at which images overlap by `overlap`: Technique 2.

    That share of the images at one level lies within three standard deviations of the norm of those at the next. The
    rule is for vectors of many dimensions; with fewer than `FEWEST` no ratio overlaps so little, which is a ValueError.
    """
    if dimensions < FEWEST:
        raise ValueError(f"no ratio of noise levels for {dimensions} dimensions; the rule needs {FEWEST}")
    scale = (2 * dimensions) ** 0.5

    def surplus(ratio: float) -> float:
        # Technique 2: Phi(sqrt(2D) (g - 1) + 3g) - Phi(sqrt(2D) (g - 1) - 3g)
        shift = scale * (ratio - 1)
        return normal_cdf(shift + 3 * ratio) - normal_cdf(shift - 3 * ratio) - overlap

    return float(brentq(surplus, 1.0, 100.0))


def normal_cdf(x: float) -> float:
    """Phi(x), the share of a standard normal distribution below x."""
    return 0.5 * math.erfc(-x / 2**0.5)


def level_count(sigma_max: float, sigma_min: float, dimensions: int) -> int:
    """Return the number of geometric levels whose ratio is the nearest to that of Technique 2, at least two."""
    return max(2, 1 + round(math.log(sigma_max / sigma_min) / math.log(overlapping_ratio(dimensions))))


def geometric(sigma_max: float, sigma_min: float, levels: int) -> Tensor:
    """Return rising levels of equal ratios from sigma_min to sigma_max; float64."""
    logarithms = torch.linspace(math.log(sigma_min), math.log(sigma_max), levels, dtype=torch.float64)
    return logarithms.exp()


def variance_ratio(relative_step: float, ratio: float, steps: int) -> float:
    """Return the variance of images after `steps` Langevin steps at a level, over sigma^2: Technique 4.

    relative_step: epsilon / sigma_L^2; ratio: g, the level before over this one. Images of one point that have the
    level before exactly: with the exact score, the variance becomes this ratio times sigma^2.
    """
    kept = (1 - relative_step) ** (2 * steps)
    # the limit 2 epsilon / (sigma_L^2 - sigma_L^2 (1 - epsilon / sigma_L^2)^2)
    limit = 2 / (2 - relative_step)
    return kept * (ratio**2 - limit) + limit


def langevin_step_size(sigma_min: float, ratio: float, steps: int) -> float:
    """Return the epsilon that brings `variance_ratio` closest to one: Technique 4."""

    def distance(relative_step: float) -> float:
        return abs(variance_ratio(relative_step, ratio, steps) - 1)

    return float(minimize_scalar(distance, bounds=(0, 1), method="bounded", options={"xatol": 1e-10}).x) * sigma_min**2
