"""Find the nearest training image of each sample by its pixels, up to brightness, contrast and small shifts.

Two images are compared by their largest normalised cross-correlation r over shifts of up to two pixels, a distance of
d = sqrt(2 (1 - r)): 0 for an image that is shifted, brightened or faded, sqrt(2) for one that has nothing in common.

The distance depends on the kind of image and does not identify a copy by itself. A copy's nearest training image is
much nearer than the next ones (Carlini et al. 2023, "Extracting training data from diffusion models", arXiv:2301.13188,
Sec. 4.2). If training images lay around a sample like a Poisson process in m dimensions, (d_1 / d_k)^m would have the
same distribution for every kind of image. Its logarithm, with m estimated around each sample, is the `gap`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bench.evaluation.features.extractor import full_float32

SHIFT = 2  # pixels, in both directions
SIDE = 8  # pixels of an image's side a pixel of shift: smaller images are shifted less
FREQUENCIES = 12  # of the cosines, in both directions, that candidates are found by
CANDIDATES = 50  # training images that are compared pixel by pixel, the number of Carlini et al.
NEIGHBOURS = 25  # k: of the candidates, those that the local dimension is estimated by
PASSED = 4  # the nearest of them, excluded from that estimate: they may be duplicates in the training split
LEAST_DISTANCE = 1e-3  # float32's rounding of r, and below it all are equal
BLOCK = 16  # samples at once
TILE = 2048  # training images at once: the products of a block and a tile stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Aligned:
    """Each sample's nearest training image by aligned pixels: float32 N, the `gap`, at most 0; int64 N, its index."""

    gap: Tensor
    training: Tensor


@dataclass(frozen=True, eq=False)
class Aligner:
    """The training images, uint8 M x C x H x W, and their lowest frequencies, by which candidates are found.

    cosines: float32 D x (H W), an orthonormal basis of the low frequencies.
    low: float32 D x M, the training images' coefficients, channels averaged.
    scale: float32 S x 1 x M, for each of S shifts one over the norm of the low frequencies inside the window.
    """

    images: Tensor
    cosines: Tensor
    low: Tensor
    scale: Tensor

    @classmethod
    @full_float32()
    def from_images(cls, images: Tensor) -> "Aligner":
        """Prepare the training images, uint8 M x C x H x W; M is at least CANDIDATES."""
        H, W = images.shape[2:]
        basis = low_frequencies(H, W)
        low, scale = [], []
        for chunk in images.split(TILE):
            coefficients = chunk.float().mean(1).flatten(1) @ basis.T
            low.append(coefficients.T)
            scale.append(inverse_norms((coefficients @ basis).view(-1, 1, H, W), reach(H, W)))
        return cls(images, basis, torch.cat(low, 1), torch.cat(scale).T[:, None].contiguous())

    @full_float32()
    def __call__(self, images: Tensor) -> Aligned:
        """Find the nearest training images of uint8 N x C x H x W."""
        blocks = [self._compare(block) for block in images.split(BLOCK)]
        return Aligned(torch.cat([block.gap for block in blocks]), torch.cat([block.training for block in blocks]))

    def _compare(self, images: Tensor) -> Aligned:
        patterns = templates(images)
        candidates = self._candidates(patterns)
        B, K = candidates.shape
        images = self.images[candidates.flatten()].float()
        # r_s = <window s of t, pattern> / |window s of t - its mean|, since the pattern has mean 0 and norm 1
        products = images.view(B, K, -1) @ patterns.flatten(2).transpose(1, 2)
        r = (products * inverse_norms(images, reach(*images.shape[2:])).view(B, K, -1)).amax(2)
        distances = (2 * (1 - r)).clamp(min=LEAST_DISTANCE**2).sqrt()
        ordered, order = distances.sort(1)
        return Aligned(gaps(ordered[:, :NEIGHBOURS]), candidates.gather(1, order[:, :1]).squeeze(1))

    def _candidates(self, patterns: Tensor) -> Tensor:
        """Return the training images, int64 B x K, whose low frequencies correlate best with B x S patterns."""
        B, S = patterns.shape[:2]
        coefficients = (patterns.mean(2).flatten(2) @ self.cosines.T).transpose(0, 1).reshape(S * B, -1)
        M = self.low.shape[1]
        best = torch.empty(B, M)
        for start in range(0, M, TILE):
            tile = slice(start, start + TILE)
            products = (coefficients @ self.low[:, tile]).view(S, B, -1)
            best[:, tile] = products.mul_(self.scale[:, :, tile]).amax(0)
        return best.topk(CANDIDATES).indices


def gaps(distances: Tensor) -> Tensor:
    """Return m log(d_1 / d_k), float N, of ascending distances to the k nearest, float N x k."""
    logarithms = (distances / distances[:, -1:]).log()
    # Levina & Bickel 2004, Maximum likelihood estimation of intrinsic dimension, Eq. 8: 1 / m = mean_j log(d_k / d_j)
    inverse = -logarithms[:, PASSED:-1].mean(1)
    return logarithms[:, 0] / inverse.clamp(min=1e-6)  # 0 where all are equally far


def reach(H: int, W: int) -> int:
    """Return the largest shift of images of H x W pixels."""
    return min(SHIFT, min(H, W) // SIDE)


def templates(images: Tensor) -> Tensor:
    """Shift the central window, of mean 0 and norm 1: uint8 B x C x H x W -> float32 B x S x C x H x W.

    Outside the window, H - 2 R by W - 2 R for shifts of up to R, they are 0; a window of one grey is 0 throughout.
    """
    B, C, H, W = images.shape
    R = reach(H, W)
    h, w = H - 2 * R, W - 2 * R
    window = images[:, :, R : R + h, R : R + w].float()
    window = window - window.mean((1, 2, 3), keepdim=True)
    norm = window.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    window = window / norm.clamp(min=1)  # the norm of whole numbers is 0 or at least sqrt(1/2)
    patterns = torch.zeros(B, 2 * R + 1, 2 * R + 1, C, H, W)
    for y in range(2 * R + 1):
        for x in range(2 * R + 1):
            patterns[:, y, x, :, y : y + h, x : x + w] = window
    return patterns.flatten(1, 2)


def inverse_norms(images: Tensor, R: int) -> Tensor:
    """Return one over the norm of each window less its mean, at shifts of up to R: float32 N x S of N x C x H x W.

    0 for a window of one grey: it correlates with nothing.
    """
    C, H, W = images.shape[1:]
    size = (H - 2 * R, W - 2 * R)
    centred = images - images.mean((1, 2, 3), keepdim=True)  # so that squares of bright images lose no digits
    mean = avg_pool2d(centred.mean(1, keepdim=True), size, stride=1)
    square = avg_pool2d(centred.square().mean(1, keepdim=True), size, stride=1)
    norm = ((square - mean.square()).clamp(min=0) * (C * math.prod(size))).sqrt().flatten(1)
    return torch.where(norm > 0.5, 1 / norm.clamp(min=0.5), 0)


def low_frequencies(H: int, W: int) -> Tensor:
    """Return the orthonormal two-dimensional cosines (DCT-II) of the lowest frequencies, float32 D x (H W)."""
    rows, columns = waves(H), waves(W)
    return torch.einsum("uy,vx->uvyx", rows, columns).reshape(len(rows) * len(columns), H * W).float()


def waves(n: int) -> Tensor:
    """Return cos(pi u (y + 1/2) / n) for the lowest frequencies u, float64 F x n with orthonormal rows."""
    u, y = torch.arange(min(FREQUENCIES, n)).double(), torch.arange(n).double()
    basis = torch.cos(math.pi * torch.outer(u, y + 0.5) / n)
    return basis / basis.norm(dim=1, keepdim=True)
