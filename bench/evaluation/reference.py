"""The reference split in feature space: computed once, cached on disk by content, shared by every row of a table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.evaluation import storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Extractor, Moments, Progress, check_images
from bench.evaluation.memorisation import cell_of, cells, nearest

VERSION = 2  # of how features are made of images; raised where that changes, so that no older ones are read
LEAST_HELD_OUT = 100  # images that must be left beside the floor's for it to have distances of its own to compare with


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of a whole split, in its order, float32 N x D, and their moments."""

    features: Tensor
    moments: Moments
    digest: str  # sha256 of the split's images
    extractor_digest: str
    shape: tuple[int, ...]  # C x H x W of its images

    def manifold(self, n: int, seed: int) -> Tensor:
        """n of the features, chosen by `subset`: precision and recall want equal numbers on both sides
        (Kynkäänniemi et al. 2019)."""
        return self.features[subset(len(self.features), n, seed)]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How far held-out images are from the training split: what the samples' distances are compared with."""

    distances: Tensor  # float32 M, in feature space
    cells: Tensor  # int64 M, of the partition by `centroids`
    centroids: Tensor  # float32 K x D
    digest: str  # sha256 of these M images
    apart: bool  # from the images that `subset` chooses of the split with the same arguments


def held_out(
    images: Tensor,
    against: Reference,
    extractor: Extractor,
    *,
    samples: int,
    seed: int,
    cells_wanted: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> HeldOut:
    """At most `samples` images of a held-out split, N x C x H x W, beside those that the floor is measured on.

    Where the floor takes nearly all of them, the same images serve again, and `apart` is false.
    """
    candidates, apart = beside_floor(len(images), samples, seed)
    chosen = images[candidates[subset(len(candidates), min(samples, len(candidates)), seed)]]
    features = reference(chosen, extractor, cache, progress).features
    centroids = cells(against.features, min(cells_wanted, len(against.features)), seed)
    distances, _ = nearest(features, against.features)
    return HeldOut(distances, cell_of(features, centroids), centroids, storage.digest({"images": chosen}), apart)


def beside_floor(total: int, samples: int, seed: int) -> tuple[Tensor, bool]:
    """Indices of the held-out images that the floor is not measured on, and True; all and False if these are few."""
    left = torch.ones(total, dtype=torch.bool)
    left[subset(total, min(samples, total), seed)] = False
    apart = int(left.sum()) >= LEAST_HELD_OUT
    return left.nonzero().squeeze(1) if apart else torch.arange(total), apart


def subset(total: int, n: int, seed: int) -> Tensor:
    """n of the indices below `total`, without repetition, ascending.

    RandomState, because numpy froze its stream: the same on every machine and in every version. Raises EvaluationError
    if n > total.
    """
    if n > total:
        raise EvaluationError(f"samples={n} are more than the {total} images of the split they are chosen from.")
    return torch.from_numpy(np.sort(np.random.RandomState(seed).choice(total, n, replace=False)))


def reference(
    images: Tensor, extractor: Extractor, cache: Path | None = None, progress: Progress | None = None
) -> Reference:
    """A split, N x C x H x W, in the extractor's features; from the folder `cache` if they are there.

    A cache file is found by the digests of images and weights, and used only if its own digest is right.
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
