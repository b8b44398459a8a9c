"""Compute the reference split's features once, cache them on disk by content, and share them between rows."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor, Moments, Progress, check_images
from bench.evaluation.keys import key
from bench.evaluation.metrics.memorisation import cell_of, cells, nearest

VERSION = 2  # of how features are made of images; raised where that changes, so that no older ones are read
BASELINE = "baseline"  # the purpose of the images that the real-data baseline is measured on
LEAST_HELD_OUT = 100  # images that the baseline must leave, so that its distances are compared with other images'


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of a whole split, in its order, float32 N x D, and their moments.

    N = 0 where only the moments are known; metrics that need features then have no figure.
    """

    features: Tensor
    moments: Moments
    digest: str  # sha256 of the split's images, or of the moments where these are all
    extractor_digest: str
    shape: tuple[int, ...]  # C x H x W of its images

    def manifold(self, n: int, seed: int, subsets: int) -> Tensor:
        """Return R disjoint random subsets of n features, R n x D, each in the split's order; R <= `subsets`.

        n is the number of samples, because precision and recall need equal numbers on both sides (Kynkäänniemi et al.
        2019). R is as large as the split allows. The tensor is the same object for every row of a table, so results
        derived from it are cached. It is empty where there are no features. Raises EvaluationError if the split has
        fewer than n images.
        """
        if not len(self.features):
            return self.features
        return _manifold(self, n, seed, subsets)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Features of held-out images, and their distances to the training split, with which the samples' are compared."""

    features: Tensor  # float32 M x D
    distances: Tensor  # float32 M, in feature space
    cells: Tensor  # int64 M, of the partition by `centroids`
    centroids: Tensor  # float32 K x D
    digest: str  # sha256 of these M images
    disjoint: bool  # from the images of the real-data baseline


@lru_cache(maxsize=1)
def _manifold(reference: Reference, n: int, seed: int, subsets: int) -> Tensor:
    return reference.features[manifold_indices(len(reference.features), n, seed, subsets)]


def manifold_indices(total: int, n: int, seed: int, subsets: int) -> Tensor:
    """Return the indices, int64 R n, of the images in the R disjoint subsets of `Reference.manifold`."""
    check_enough(total, n)
    order = torch.from_numpy(np.random.RandomState(key("manifold", seed)).permutation(total))
    return torch.cat([part.sort().values for part in order.split(n)[: min(subsets, total // n)]])


def held_out(
    images: Tensor,
    training: Reference,
    extractor: Extractor,
    *,
    samples: int,
    seed: int,
    cells_wanted: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> HeldOut:
    """Measure at most `samples` images of a held-out split, N x C x H x W, that the real-data baseline does not use.

    Where the baseline uses nearly all images, they are used again, and `disjoint` is false.
    """
    candidates, disjoint = outside_baseline(len(images), samples, seed)
    selection = images[candidates[subset(len(candidates), min(samples, len(candidates)), seed, "distances")]]
    features = reference(selection, extractor, cache, progress).features
    centroids = cells(training.features, min(cells_wanted, len(training.features)), seed)
    distances, _ = nearest(features, training.features)
    digest = storage.digest({"images": selection})
    return HeldOut(features, distances, cell_of(features, centroids), centroids, digest, disjoint)


def outside_baseline(total: int, samples: int, seed: int) -> tuple[Tensor, bool]:
    """Return the indices of the held-out images outside the baseline, and True; all and False if these are few."""
    free = torch.ones(total, dtype=torch.bool)
    free[subset(total, min(samples, total), seed, BASELINE)] = False
    disjoint = int(free.sum()) >= LEAST_HELD_OUT
    return free.nonzero().squeeze(1) if disjoint else torch.arange(total), disjoint


def subset(total: int, n: int, seed: int, purpose: str) -> Tensor:
    """Choose n of the indices below `total`, without repetition, ascending; another choice for each purpose.

    RandomState, because numpy froze its stream: the same on every machine and in every version. Raises EvaluationError
    if n > total.
    """
    check_enough(total, n)
    return torch.from_numpy(np.sort(np.random.RandomState(key(purpose, seed)).choice(total, n, replace=False)))


def check_enough(total: int, n: int) -> None:
    """Raise EvaluationError if n samples are more than the images of the split."""
    if n > total:
        message = f"samples={n} is more than the {total} images of the split."
        raise EvaluationError(message, key="samples", value=n)


def reference(
    images: Tensor, extractor: Extractor, cache: Path | None = None, progress: Progress | None = None
) -> Reference:
    """Return the extractor's features of a split, N x C x H x W, from the folder `cache` if they are there.

    The name of a cache file has the digests of images and weights. It is used only if its own digest is right.
    """
    check_images(images, extractor.dtype)
    digest = storage.digest({"images": images})
    name = f"{extractor.name}-{extractor.digest[:12]}-{digest[:12]}-v{VERSION}.pt"
    path = cache / name if cache else None
    D = extractor.dim
    shapes = {"features": (len(images), D), "mean": (D,), "scatter": (D, D)}
    tensors = storage.from_cache(path, shapes) if path else None
    if tensors is None:
        features = extractor(images, progress)
        moments = Moments.from_features(features)
        tensors = {"features": features, "mean": moments.mean, "scatter": moments.scatter}
        if path:
            storage.to_cache(tensors, path)
    moments = Moments(len(images), tensors["mean"], tensors["scatter"])
    return Reference(tensors["features"], moments, digest, extractor.digest, tuple(images.shape[1:]))
