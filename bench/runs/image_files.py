"""Read the images that a user names, in whichever format they are."""

from pathlib import Path

from rich.markup import escape

from bench.config.schema import ConfigError
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files import folder, hugging_face
from bench.evaluation.image_files.image_set import ImageSet, Shape, image_error
from bench.evaluation.image_files.lossless import FORMATS as LOSSLESS
from bench.evaluation.image_files.lossless import LOSSY
from bench.evaluation.image_files.registry import READERS, Read, suffix_of
from bench.runtime.console import Bar, console
from datamodules.folders import list_files

KEY = "--images"


def reader_of(path: Path, key: str = KEY) -> Read:
    """Return the reader for a file or folder, the value of `key`; ConfigError if it is missing or of another kind."""
    if path.is_dir():
        return hugging_face.read if hugging_face.is_dataset(path) else read_folder
    if not path.exists():
        raise ConfigError(f"{key}={path}: there is neither a file nor a folder of this name", key=key, value=str(path))
    if (suffix := suffix_of(path)) not in READERS:
        raise ConfigError(
            f"{key}={path}: unknown kind of file; give a folder of PNG files, a folder that Hugging Face's `datasets` "
            f"has saved, or a file that ends in {', '.join(READERS)}",
            key=key, value=str(path), choices=READERS,
        )  # fmt: skip
    return READERS[suffix]


def read(path: Path, reader: Read, shape: Shape | None, samples: int, key: str = KEY) -> ImageSet:
    """Read the images in a file or below a folder, at least `samples` of them; print what is left out.

    shape: C x H x W of the data that they are compared with; None takes the images' own. key: the setting that names
    the path.
    """
    with Bar(f"read {path.name}", samples, "images") as bar:

        def progress(stage: str, done: int, total: int) -> None:
            bar.total = total  # of the whole file, whose images are all read
            bar.advance(done - bar.done)

        found = reader(path, shape, progress)
    if found.left_out:
        console.print(f"  [yellow]{key}={escape(str(path))}: {len(found.images):,} images, {found.left_out}[/]")
    if len(found.images) < samples:
        raise EvaluationError(
            f"{key}={path} holds {len(found.images):,} images, but evaluation.samples={samples}; give more images, or "
            "set fewer samples for all rows of the table",
            key=key,
            value=path,
        )
    return found


def read_folder(path: Path, shape: Shape | None, progress: Progress | None) -> ImageSet:
    """Read the lossless image files below a folder, in the order of their paths."""
    listing = list_files(path, LOSSLESS, "images")
    if not listing.files:
        why = "; lossy files have other pixels than the samples had" if LOSSY & set(listing.left_out) else ""
        held = f"{listing.note or 'it is empty'}{why}"
        raise image_error(path, f"holds no {', '.join(LOSSLESS)} file ({held}): save the samples as 8-bit PNG")
    return ImageSet(folder.read_images(listing.files, shape, progress), listing.note)
