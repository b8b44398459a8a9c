"""A data set that Hugging Face's `datasets` has saved to disk: Arrow files with a column of encoded images."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import ImageSet, Shape, damaged, image_error
from bench.evaluation.image_files.lossless import Stored, decode_all, encode
from bench.runtime.files import written_aside

SUFFIX = ".hf"  # of the folders that are written; a folder of any name is recognised by its content
IMAGE, LABEL = "image", "label"  # usual names of the columns
SPLIT_FILES, SPLITS_FILE = {"state.json", "dataset_info.json"}, "dataset_dict.json"
SIGNATURES = {b"\x89PNG": "PNG", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF"}  # of the lossless formats


def is_dataset(folder: Path) -> bool:
    """Return whether a folder is a saved data set, of one split or of several."""
    return (folder / SPLITS_FILE).is_file() or all((folder / name).is_file() for name in SPLIT_FILES)


def library(path: Path) -> ModuleType:
    """Import `datasets`, an optional package; EvaluationError where it is not installed."""
    try:
        import datasets
    except ImportError as error:
        message = "is a data set of Hugging Face, which needs the package datasets: pip install datasets"
        raise image_error(path, message) from error
    module: ModuleType = datasets
    return module


def read(path: Path, shape: Shape | None, progress: Progress | None = None) -> ImageSet:
    """Read the images of a saved split.

    shape: C x H x W of the data; None takes the first image's. Raises EvaluationError for several splits, for no column
    of images or several without one named `image`, and for an image that `decode` refuses.
    """
    package = library(path)
    if (path / SPLITS_FILE).is_file():
        splits = sorted(folder.name for folder in path.iterdir() if is_dataset(folder))
        raise image_error(path, f"holds several splits; name the folder of one: {', '.join(splits) or 'none is here'}")
    try:
        data = package.load_from_disk(str(path))
        column = _image_column(path, data.features, package)
        rows = data.cast_column(column, package.Image(decode=False))
        if not len(rows):
            raise image_error(path, "holds no images")
        images = decode_all(opened(path, rows, column), len(rows), shape, progress)
    except EvaluationError:
        raise
    except Exception as error:  # pyarrow's and the library's own errors have no common base
        raise damaged(path, error) from error
    rest = sorted(map(str, set(rows.features) - {column}))
    return ImageSet(images, f"left out {', '.join(rest)}" if rest else "")


def _image_column(path: Path, features: dict[str, Any], package: ModuleType) -> str:
    """Return the name of the column of images."""
    columns = [name for name, feature in features.items() if isinstance(feature, package.Image)]
    if IMAGE in columns or len(columns) == 1:
        return IMAGE if IMAGE in columns else columns[0]
    found = f"{len(columns)} columns of images ({', '.join(columns)})" if columns else "no column of images"
    raise image_error(path, f"holds {found} among {', '.join(features)}; keep one, or name it {IMAGE}")


def opened(path: Path, rows: Any, column: str) -> Iterator[Stored]:
    """Open the encoded images one after the other; EvaluationError for one of a lossy format or of none."""
    for number, row in enumerate(rows):
        place, stored = f"{path}:{number}", row[column] or {}
        content = stored.get("bytes") or (Path(stored["path"]).read_bytes() if stored.get("path") else b"")
        form = next((form for head, form in SIGNATURES.items() if content.startswith(head)), None)
        if form is None:
            raise image_error(place, f"is in none of {', '.join(sorted({*SIGNATURES.values()}))}; save it without loss")
        yield number, place, io.BytesIO(content), form


def write(images: Tensor, labels: Tensor | None, folder: Path) -> None:
    """Write uint8 N x C x H x W as PNG in a column `image`, and int64 labels N in a column `label`."""
    package = library(folder)
    columns: dict[str, Any] = {IMAGE: [{"bytes": encode(image), "path": None} for image in images]}
    features: dict[str, Any] = {IMAGE: package.Image()}
    if labels is not None:
        columns[LABEL], features[LABEL] = labels.tolist(), package.Value("int64")
    package.disable_progress_bars()
    with written_aside(folder) as aside:
        package.Dataset.from_dict(columns, features=package.Features(features)).save_to_disk(str(aside))
