"""The formats of image sets: their readers and their writers, by the suffix of the file."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files import arrays, folder, hugging_face, tar
from bench.evaluation.image_files.image_set import ImageSet, Shape

Read = Callable[[Path, Shape | None, Progress | None], ImageSet]  # shape: of the data; None: the images' own
Write = Callable[[Tensor, Tensor | None, Path], None]  # images, labels or None, a path that does not exist yet

FOLDER = ""  # the suffix of a folder of PNG files
READERS: dict[str, Read] = {  # of files; which of a folder's files are images is decided where folders are listed
    ".npz": arrays.read_npz,
    ".npy": arrays.read_npy,
    ".tar": tar.read,
    ".tar.gz": tar.read,
    ".tgz": tar.read,
}
WRITERS: dict[str, Write] = {
    FOLDER: folder.write,
    ".npz": arrays.write_npz,
    ".npy": arrays.write_npy,
    ".tar": tar.write,
    ".tar.gz": tar.write,
    ".tgz": tar.write,
    hugging_face.SUFFIX: hugging_face.write,
}


def suffix_of(path: Path) -> str:
    """Return the key of WRITERS that a path's name ends in, FOLDER for a name without suffix, else its own suffix."""
    name = path.name.lower()
    known = (suffix for suffix in WRITERS if suffix and name.endswith(suffix) and name != suffix)
    return max(known, key=len, default=path.suffix)


def stem_of(path: Path) -> str:
    """Return a path's name without the suffix of its format."""
    suffix = suffix_of(path)
    return path.name[: len(path.name) - len(suffix)] if suffix in WRITERS else path.name
