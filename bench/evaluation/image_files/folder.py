"""A folder of image files, one an image, with their labels in `dataset.json` as StyleGAN's and EDM's data sets have."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import REPORT_EVERY, Shape, check_channels_of_files, image_error
from bench.evaluation.image_files.lossless import FORMATS, decode, encode
from bench.runtime.files import written_aside

LABELS = "dataset.json"


def read_images(paths: Sequence[Path], shape: Shape | None, progress: Progress | None = None) -> Tensor:
    """Read the images in `paths`, whose endings are those of FORMATS, as uint8 N x C x H x W of `shape` C x H x W.

    shape: None takes the first image's. The stage that `progress` is called with is "reading". Raises EvaluationError,
    naming the first file that `decode` refuses.
    """
    if shape:
        check_channels_of_files(shape)
    images: np.ndarray | None = None
    for done, path in enumerate(paths, start=1):
        try:
            with path.open("rb") as file:
                image = decode(path, file, FORMATS[path.suffix.lower()], shape)
        except OSError as error:
            raise image_error(path, f"cannot be read: {error.strerror}") from error
        shape = image.shape  # type: ignore[assignment]
        images = np.empty((len(paths), *image.shape), np.uint8) if images is None else images
        images[done - 1] = image
        if progress and (done % REPORT_EVERY == 0 or done == len(paths)):
            progress("reading", done, len(paths))
    return torch.empty(0, *(shape or (1, 0, 0)), dtype=torch.uint8) if images is None else torch.from_numpy(images)


def read_labels(folder: Path, paths: Sequence[Path]) -> Tensor | None:
    """Return the labels, int64 N, that `dataset.json` of the folder has for the images in `paths`.

    None where there is no such file, or where it holds no list of file names and labels. Raises EvaluationError if an
    image has none or one that is not an integer.
    """
    file = folder / LABELS
    try:
        entries = dict(json.loads(file.read_text())["labels"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    names = [path.relative_to(folder).as_posix() for path in paths]
    if wrong := next((name for name in names if type(entries.get(name)) is not int), None):
        raise image_error(file, f"holds no label of {wrong} that is an integer; add one, or delete the file")
    return torch.tensor([entries[name] for name in names])


def write(images: Tensor, labels: Tensor | None, folder: Path) -> None:
    """Write uint8 N x C x H x W as PNG files that are named by their number, into a new folder."""
    names = [f"{number:06}.png" for number in range(len(images))]
    with written_aside(folder) as aside:
        aside.mkdir()
        for name, image in zip(names, images, strict=True):
            (aside / name).write_bytes(encode(image))
        if labels is not None:
            pairs = zip(names, labels.tolist(), strict=True)
            (aside / LABELS).write_text(json.dumps({"labels": [list(pair) for pair in pairs]}))
