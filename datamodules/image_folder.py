"""A user's own images, decoded once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from pydantic import NonNegativeInt, PositiveInt
from rich.progress import track
from torch import Tensor

from datamodules.base import DataError, ImageDataModule, Split, split_indices

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
PROGRESS_FROM = 2_000  # images; fewer are decoded in the time it takes to read the bar


class ImageFolder(ImageDataModule):
    """Every png, jpg, jpeg, webp and bmp below a folder, in the order of their paths; subfolders are no classes.

    Each is turned upright as its EXIF says, scaled (Lanczos) until its shorter side has `size` pixels, and cropped to
    the centre: 1 x size x size if all files are 8-bit greyscale, else RGB, 3 x size x size, transparency dropped.
    A tenth is held out by a fixed draw, the same for every training seed. All labels are 0.

    Args:
        root: the folder.
        size: pixels a side.
        batch_size: images a batch over all ranks.
        images: budget, the number of training images to be seen; rounded up to whole batches.
        seed: of the order of the training images.

    Raises:
        DataError: in `setup()`, for a folder that is missing or has fewer than 2 images, or for an image that cannot
            be decoded or has more than 8 bits a channel.
    """

    def __init__(
        self,
        *,
        root: str,
        size: PositiveInt = 64,
        batch_size: PositiveInt = 64,
        images: PositiveInt = 60_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(root=root, batch_size=batch_size, images=images, seed=seed)
        self.folder = Path(root).expanduser()
        self.size = size

    def load(self) -> tuple[Split, Split]:
        """Decode all images and split them."""
        images = _decode(_image_paths(self.folder), self.size)
        train, test = (images[indices] for indices in split_indices(len(images)))
        return Split(train, _no_labels(train)), Split(test, _no_labels(test))


def _no_labels(images: Tensor) -> Tensor:
    return torch.zeros(len(images), dtype=torch.int64)


def _image_paths(folder: Path) -> list[Path]:
    """Images below `folder`, sorted by their path in it, so that the split does not depend on where it lies."""
    if not folder.is_dir():
        raise DataError(f"data.root={folder} is not a folder.")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if len(paths) < 2:
        raise DataError(
            f"data.root={folder} holds {len(paths)} images ({', '.join(SUFFIXES)}), but at least 2 are needed: "
            "one to train on and one to hold out."
        )
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def _decode(paths: Sequence[Path], size: int) -> Tensor:
    """uint8, N x 1 x size x size if every file is greyscale, else N x 3 x size x size."""
    mode, channels = ("L", 1) if all(_is_grey(path) for path in paths) else ("RGB", 3)
    images = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    for image, path in zip(images, track(paths, "Decoding images", disable=len(paths) < PROGRESS_FROM), strict=True):
        with _open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert(mode)
            square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
            image.copy_(torch.from_numpy(np.array(square).reshape(size, size, channels)).permute(2, 0, 1))
    return images


def _is_grey(path: Path) -> bool:
    with _open(path) as picture:
        return picture.mode == "L"


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """The picture of a file; whatever fails in opening or decoding it becomes a DataError."""
    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":  # converted to 8 bits, they would be clipped without a word
                raise DataError(f"{path} has more than 8 bits a channel ({picture.mode}): save it with 8.")
            yield picture
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise DataError(f"{path} cannot be decoded: {error}.") from error
