"""A set of images as any file format gives it, and the checks that all formats share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.evaluation.errors import EvaluationError

Shape = tuple[int, int, int]  # C x H x W of one image
REPORT_EVERY = 500  # images


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of a file or a folder, and their labels where it holds some.

    left_out: what else it holds and is not used, as a phrase; "" for nothing.
    """

    images: Tensor  # uint8 N x C x H x W
    labels: Tensor | None = None  # int64 N
    left_out: str = ""


def image_error(place: Path | str, problem: str) -> EvaluationError:
    """Return the error about a file of images, or about one image in it."""
    return EvaluationError(f"images={place} {problem}.", key="images", value=place)


def damaged(place: Path | str, error: BaseException) -> EvaluationError:
    """Return the error about a file that a library cannot read."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return image_error(place, f"cannot be read: {reason.rstrip('.')}")


def check_channels_of_files(shape: Shape) -> None:
    """Raise EvaluationError unless the data has 1 or 3 channels, the counts that image files have."""
    if shape[0] not in (1, 3):
        raise EvaluationError(f"image files have 1 or 3 channels, but the data has {shape[0]}.")


def as_labels(place: Path | str, labels: NDArray[np.generic], count: int) -> Tensor:
    """Return the labels of `count` images as int64 N; EvaluationError unless they are integers, one an image."""
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        problem = f"holds labels of type {labels.dtype} and shape {labels.shape}; save integers, one an image"
        raise image_error(place, problem)
    if len(labels) != count:
        raise image_error(place, f"holds {len(labels):,} labels for {count:,} images")
    return torch.from_numpy(labels.astype(np.int64))
