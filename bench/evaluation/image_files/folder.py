"""A folder of image files, one an image; written with their labels in `dataset.json`, as StyleGAN's and EDM's are."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import Shape, image_error
from bench.evaluation.image_files.lossless import FORMATS, Stored, decode_all, encode
from bench.runtime.files import written_aside

LABELS = "dataset.json"


def read_images(paths: Sequence[Path], shape: Shape | None, progress: Progress | None = None) -> Tensor:
    """Read the images in `paths`, whose endings are those of FORMATS, as `decode_all` does."""
    return decode_all(opened(paths), len(paths), shape, progress)


def opened(paths: Sequence[Path]) -> Iterator[Stored]:
    """Open the files one after the other; EvaluationError for one that cannot be read."""
    for number, path in enumerate(paths):
        try:
            file = path.open("rb")
        except OSError as error:
            raise image_error(path, f"cannot be read: {error.strerror}") from error
        with file:
            yield number, path, file, FORMATS[path.suffix.lower()]


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
