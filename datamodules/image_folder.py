"""A user's own images, decoded once."""

import hashlib
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
from datamodules.folders import list_files

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
PROGRESS_FROM = 2_000  # images; fewer are decoded in the time it takes to read the bar


class ImageFolder(ImageDataModule):
    """Every png, jpg, jpeg, webp, bmp, tif and tiff below a folder, in the order of their paths.

    Subfolders are no classes. Hidden files are no data, and symbolic links are followed once, see `list_files`.

    Each is turned upright as its EXIF says, scaled (Lanczos) until its shorter side has `size` pixels, and cropped to
    the centre: 1 x size x size if all files are 8-bit greyscale, else RGB, 3 x size x size, transparency dropped.
    A tenth is held out by a fixed draw, the same for every training seed. All labels are 0. `notes` says what was left
    out, and how many held-out images are exact copies of training images.

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
        listing = list_files(self.folder, SUFFIXES, "data.root")
        paths = listing.files
        if len(paths) < 2:
            raise DataError(
                f"data.root={self.folder} holds {len(paths)} images ({', '.join(SUFFIXES)}), but at least 2 are "
                f"needed: one to train on and one to hold out{'; ' + listing.note if listing.left_out else ''}."
            )
        if listing.left_out:
            self.notes.append(f"data.root={self.folder}: {len(paths):,} images, {listing.note}")
        grey, several = _survey(paths)
        if several:
            self.notes.append(f"files of several images: {several:,}; the first image of each is taken")
        images = _decode(paths, self.size, grey)
        train, test = split_indices(len(images))
        self.notes += _copies(images, paths, train, test)
        return Split(images[train], _no_labels(train)), Split(images[test], _no_labels(test))


def _copies(images: Tensor, paths: Sequence[Path], train: Tensor, test: Tensor) -> list[str]:
    """A sentence about the held-out images that equal a training image in every pixel, if there are any.

    images: uint8 N x C x H x W, of `paths`; `train` and `test` are their numbers in the splits.
    """
    digests = [hashlib.sha256(image.numpy().data).digest() for image in images]
    trained = {digests[i]: paths[i] for i in reversed(train.tolist())}
    copies = [(paths[i], trained[digests[i]]) for i in test.tolist() if digests[i] in trained]
    if not copies:
        return []
    return [
        f"{len(copies):,} of {len(test):,} held-out images are exact copies of training images, the first "
        f"{copies[0][0]} of {copies[0][1]}; remove one of each pair to judge by images that were not trained on"
    ]


def _no_labels(split: Tensor) -> Tensor:
    return torch.zeros(len(split), dtype=torch.int64)


def _survey(paths: Sequence[Path]) -> tuple[bool, int]:
    """Whether every file is 8-bit greyscale, and how many hold several images, as animations and scans do."""
    grey, several = True, 0
    for path in paths:
        with _open(path) as picture:
            grey = grey and picture.mode == "L"
            # of a camera's MPO file, the others are previews or the same scene for the other eye
            several += picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1
    return grey, several


def _decode(paths: Sequence[Path], size: int, grey: bool) -> Tensor:
    """uint8, N x 1 x size x size for `grey`, else N x 3 x size x size."""
    mode, channels = ("L", 1) if grey else ("RGB", 3)
    images = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    for image, path in zip(images, track(paths, "Decoding images", disable=len(paths) < PROGRESS_FROM), strict=True):
        with _open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert(mode)
            square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
            image.copy_(torch.from_numpy(np.array(square).reshape(size, size, channels)).permute(2, 0, 1))
    return images


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """Open the picture of a file; any failure to open or decode it becomes a DataError."""
    try:
        with Image.open(path) as picture:
            if kind := _deep(picture):
                raise DataError(f"{path} has more than 8 bits a channel ({kind}); save it with 8.")
            yield picture
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise DataError(f"{path} cannot be decoded: {error}.") from error


def _deep(picture: Image.Image) -> str:
    """Pillow's name of what a file stores if it has more than 8 bits a channel; empty otherwise.

    Pillow would clip such greys and cut such colours to 8 bits without a word.
    """
    if picture.mode[0] in "IF":
        return picture.mode
    stored = (tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(picture, "tile", ()))
    return next((mode for mode in stored if isinstance(mode, str) and ";16" in mode), "")
