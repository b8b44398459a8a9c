"""A set of images as any file format gives it, and the checks that all formats share."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bench.evaluation.errors import EvaluationError

Shape = tuple[int, int, int]  # C x H x W of one image
REPORT_EVERY = 500  # images


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of a file or a folder.

    left_out: what else it holds and is not used, such as labels, as a phrase; "" for nothing.
    """

    images: Tensor  # uint8 N x C x H x W
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
