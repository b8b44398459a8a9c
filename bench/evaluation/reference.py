"""The reference split in feature space: computed once, cached on disk by content, shared by every row of a table."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.evaluation import storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Extractor, Moments, Progress, check_images

logger = logging.getLogger(__name__)


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
    """A split, uint8 N x C x H x W, in the extractor's features; from the folder `cache` if they are there.

    A cache file is found by the digests of images and weights, and used only if its own digest is right.
    """
    check_images(images)
    digest = storage.digest({"images": images})
    path = cache / f"{extractor.name}-{extractor.digest[:12]}-{digest[:12]}.pt" if cache else None
    tensors = _load(path, extractor, len(images)) if path else None
    if tensors is None:
        features = extractor(images, progress)
        moments = Moments.from_features(features)
        tensors = {"features": features, "mean": moments.mean, "scatter": moments.scatter}
        if path:
            _store(path, tensors)
    moments = Moments(len(images), tensors["mean"], tensors["scatter"])
    return Reference(tensors["features"], moments, digest, extractor.digest, tuple(images.shape[1:]))


def _store(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        storage.save({"tensors": tensors, "digest": storage.digest(tensors)}, path)
    except OSError as error:  # a full or read-only disk costs the next run time, not this one its result
        logger.warning("the reference could not be cached: %s", error)


def _load(path: Path, extractor: Extractor, count: int) -> dict[str, Tensor] | None:
    """The cached tensors, or None if there are none that can be trusted."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        tensors: dict[str, Tensor] = content["tensors"]
        sound = storage.digest(tensors) == content["digest"]
        sound = sound and tensors["features"].shape == (count, extractor.dim)
    except Exception:  # whatever a damaged file raises, the answer is to compute again
        sound = False
    if not sound:
        logger.warning("the cached reference %s is damaged and will be computed again", path)
    return tensors if sound else None
