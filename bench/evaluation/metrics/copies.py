"""Detect copies by pixels: samples byte for byte equal to training images, and samples too near after alignment.

Held-out images are compared with the training images in the same way. Each alarm's chance to be raised by samples of
the data is below LEVEL. scipy is imported only when it is used: it takes seconds.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.features.extractor import Progress
from bench.evaluation.features.reference import HeldOut, Reference, outside_baseline, subset
from bench.evaluation.metrics.alignment import CANDIDATES, Aligned, Aligner
from bench.evaluation.metrics.feature_sets import Copies, FeatureSets, Nearest
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.memorisation import LEVEL, cell_of, excess

VERSION = 1  # of the alignment; raised where its gaps change, so that no older ones are read from the cache
PER_SAMPLE = 4  # held-out images for each sample, at most: the more there are, the fewer copies raise the alarm
DEPTHS = (16, 128)  # samples and held-out images together, the nearest of which are counted
DEEPEST = 50  # of so many images, at most one is counted: deeper, kinds of images differ, not copies
CHUNK = 250  # held-out images between two steps of progress


@dataclass(frozen=True, eq=False)
class TrainingPixels:
    """The training images that samples' pixels are compared with, and the distances of held-out images to them."""

    aligner: Aligner
    fingerprints: frozenset[bytes]  # of the training images
    cells: Tensor  # int64 M, the cell of C_T of each training image
    held_out: Tensor  # float32, the gaps of held-out images
    held_out_cells: Tensor  # int64
    held_out_exact: int  # of all held-out images, those that are equal to a training image
    held_out_total: int

    def copies(self, aligned: Aligned, fingerprints: list[bytes]) -> Copies:
        """Return the samples' distances and equalities to training images, beside those of held-out images."""
        nearest = Nearest(aligned.gap, self.cells[aligned.training], self.held_out, self.held_out_cells)
        exact = torch.tensor([f in self.fingerprints for f in fingerprints])
        return Copies(nearest, exact, self.held_out_exact, self.held_out_total)


def fingerprints(images: Tensor) -> list[bytes]:
    """Return 16 bytes for each image, N x ..., equal exactly for equal images."""
    return [hashlib.blake2b(row, digest_size=16).digest() for row in images.cpu().flatten(1).numpy()]


def training_pixels(
    training: Tensor,
    held_out_images: Tensor,
    reference: Reference,
    held_out: HeldOut,
    *,
    samples: int,
    seed: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> TrainingPixels | None:
    """Prepare the training split of `reference` and a held-out split, both uint8 N x C x H x W.

    None for points, which have no pixels, and for fewer training images than are compared. An image lies in the cell of
    its nearest training image. Held-out images are disjoint from the real-data baseline's where there are enough;
    their distances are cached in the folder `cache`.
    """
    if training.dtype != torch.uint8 or len(training) < CANDIDATES:
        return None
    aligner, hashes = Aligner.from_images(training), frozenset(fingerprints(training))
    candidates, _ = outside_baseline(len(held_out_images), samples, seed)
    selection = held_out_images[
        candidates[subset(len(candidates), min(PER_SAMPLE * samples, len(candidates)), seed, "distances")]
    ]
    aligned = _aligned(aligner, selection, reference.digest, cache, progress)
    cells = cell_of(reference.features, held_out.centroids)
    exact = sum(f in hashes for f in fingerprints(held_out_images))
    return TrainingPixels(aligner, hashes, cells, aligned.gap, cells[aligned.training], exact, len(held_out_images))


def _aligned(aligner: Aligner, images: Tensor, digest: str, cache: Path | None, progress: Progress | None) -> Aligned:
    """Return `aligner(images)`, from the cache if it is there; `digest`: of the training images."""
    name = f"aligned-{digest[:12]}-{storage.digest({'images': images})[:12]}-v{VERSION}.pt"
    path = cache / name if cache else None
    shape = (len(images),)
    tensors = storage.from_cache(path, {"gap": shape, "training": shape}) if path else None
    if tensors is None:
        parts = []
        for chunk in images.split(CHUNK):
            parts.append(aligner(chunk))
            if progress:
                progress("alignment", min(len(parts) * CHUNK, len(images)), len(images))
        tensors = {name: torch.cat([getattr(part, name) for part in parts]) for name in ("gap", "training")}
        if path:
            storage.to_cache(tensors, path)
    return Aligned(tensors["gap"], tensors["training"])


def exact_copies(sets: FeatureSets) -> Estimate | None:
    """Count the samples that are byte for byte equal to a training image, with Clopper and Pearson's interval."""
    from scipy.stats import binomtest

    if sets.copies is None:
        return None
    n, k = len(sets.copies.exact), int(sets.copies.exact.sum())
    ends = binomtest(k, n).proportion_ci(0.95, "exact")
    return Estimate(k, ends=(n * float(ends.low), n * float(ends.high)))


def aligned_copies(sets: FeatureSets) -> Estimate | None:
    """Compute `near_copies` with distances of aligned pixels instead of features: 1 for samples of the data."""
    return None if sets.copies is None else excess(sets.copies.nearest)


def exact_alarm(copies: Copies) -> str | None:
    """Return a sentence if more samples equal training images than the share of held-out images explains, or None."""
    from scipy.stats import hypergeom

    n, k = len(copies.exact), int(copies.exact.sum())
    h, total = copies.held_out_exact, copies.held_out_total
    # Fisher's exact test: k + h equal ones, of which any n of n + total images may be the samples
    if hypergeom.sf(k - 1, n + total, n, k + h) >= LEVEL:
        return None
    return (
        f"exact copies: {k:,} of {n:,} samples are byte for byte equal to a training image, where {h:,} of {total:,} "
        f"held-out images are; look at the closest pairs"
    )


def aligned_alarm(copies: Copies) -> str | None:
    """Return a sentence if too many of the images nearest to training images are samples; None otherwise.

    The nearest images are counted over samples and held-out images together. In each cell, any of them is as likely to
    be a sample as any other image of that cell. So samples of few kinds raise no alarm, and the probability is exact.
    """
    near = copies.nearest
    tests = [(*_samples_among_nearest(near, depth), depth) for depth in DEPTHS]
    chance, count, expected, among = min(
        (chance, count, expected, among) for chance, count, expected, among, _ in tests
    )
    if chance >= LEVEL:
        return None
    return (
        f"possible copies: of the {among:,} samples and held-out images that are nearest to a training image by their "
        f"pixels, shifts and brightness aside, {count:,} are samples, where {expected:,.1f} are expected; look at the "
        f"closest pairs"
    )


def _samples_among_nearest(near: Nearest, depth: int) -> tuple[float, int, float, int]:
    """Count the samples among the `depth` nearest images and those as near as the last of them.

    Returns the probability of as many samples or more, their number, the number expected, and the number of images.
    """
    from scipy.stats import hypergeom

    union = torch.cat([near.generated, near.held_out])
    threshold = union.kthvalue(max(1, min(depth, len(union) // DEEPEST))).values
    K = int(torch.cat([near.generated_cells, near.held_out_cells]).max()) + 1
    N, M = (torch.bincount(cells, minlength=K) for cells in (near.generated_cells, near.held_out_cells))
    n, m = (
        torch.bincount(cells[distances <= threshold], minlength=K)
        for distances, cells in ((near.generated, near.generated_cells), (near.held_out, near.held_out_cells))
    )
    chance, expected = np.ones(1), 0.0
    for a, b, size in zip(N.tolist(), M.tolist(), (n + m).tolist(), strict=True):
        if size:
            chance = np.convolve(chance, hypergeom.pmf(np.arange(size + 1), a + b, a, size))
            expected += size * a / (a + b)
    count = int(n.sum())
    return float(chance[count:].sum()), count, expected, int((n + m).sum())
