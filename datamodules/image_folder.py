"""A user's own images, decoded once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from datamodules.base import DataError, ImageDataModule, Split
from datamodules.classes import Classes, by_csv, by_folder, check_split, draw_split, hint_of_classes
from datamodules.decoding import decoded
from datamodules.duplicates import copies
from datamodules.folders import list_files, subfolders
from datamodules.mapped import file_facts

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
TRAIN = "train"  # the folder of the training images, where a folder has the held-out ones


class ImageFolder(ImageDataModule):
    """Every png, jpg, jpeg, webp, bmp, tif and tiff below a folder, in the order of their paths.

    Hidden files are no data, and symbolic links are followed once, see `list_files`.

    Each is turned upright as its EXIF says, scaled (Lanczos) until its shorter side has `size` pixels, and cropped to
    the centre: 1 x size x size if all files are 8-bit greyscale, else RGB, 3 x size x size, transparency dropped.
    `notes` says what was left out, which classes there are, and how many held-out images are exact copies of training
    images.

    Args:
        root: the folder.
        size: pixels a side.
        classes: "none", all labels are 0; "folders", the sub-folders are classes; or a CSV file, its path relative to
            `root`, with the columns file (relative to `root`) and label. Labels are numbered in the order of the
            sorted class names, see `Classes.of`.
        held_out: the folder in `root` of the held-out images, beside `train`, that of the training images. None holds
            out a tenth of each class, of fewer than 200 images up to a third, by a fixed draw, the same for every
            training seed.
        batch_size: images a batch over all ranks.
        images: budget, the number of training images to be seen; rounded up to whole batches.
        seed: of the order of the training images.

    Raises:
        DataError: in `setup()`, for a folder that is missing, for a split or a class without images, for labels that
            do not match the images, or for an image that cannot be decoded or has more than 8 bits a channel.
    """

    own = True

    def __init__(
        self,
        *,
        root: str,
        size: PositiveInt = 64,
        classes: str = "none",
        held_out: str | None = None,
        batch_size: PositiveInt = 64,
        images: PositiveInt = 60_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(root=root, batch_size=batch_size, images=images, seed=seed)
        self.folder = Path(root).expanduser()
        self.size = size
        self.classes = classes
        self.held_out = held_out

    def load(self) -> tuple[Split, Split]:
        """Decode all images and split them."""
        if self.classes not in ("none", "folders") and not self.classes.lower().endswith(".csv"):
            raise DataError(
                f"data.classes={self.classes}: choose none, folders, or a CSV file below data.root, such as labels.csv."
            )
        parts = [(folder, self._list(folder)) for folder in self._part_folders()]
        paths = [path for _, files in parts for path in files]
        classes = self._classes(parts, paths)
        train, test = self._split(parts, classes)
        chosen = [paths[number] for number in torch.cat([train, test]).tolist()]
        subject = f"{self.folder.resolve()} {self.size} {self.classes} {self.held_out}"
        images, notes = decoded(chosen, self.size, subject, map(file_facts, chosen))
        self.notes += [*notes, *copies(images, chosen, len(train))]
        trained, held_out = images.tensor_split([len(train)])
        return Split(trained, classes.labels[train]), Split(held_out, classes.labels[test])

    def digest(self, split: str) -> str:
        """Hexadecimal sha256 of the images of 'train' or 'test', and of their labels if `classes` gives them some.

        Labels of a folder are the user's own, so that the same images may have other labels tomorrow.
        """
        images = super().digest(split)
        if self.classes == "none":
            return images
        labels = {"train": self.train_labels, "test": self.test_labels}[split]
        return hashlib.sha256(images.encode() + labels.numpy().tobytes()).hexdigest()

    def _part_folders(self) -> list[Path]:
        """The folder of all images, or that of the training images and that of the held-out ones."""
        if self.held_out is None:
            return [self.folder]
        if not self.folder.is_dir():
            raise DataError(f"data.root={self.folder} is not a folder.")
        present = subfolders(self.folder)
        choices = [name for name in present if name != TRAIN]
        if TRAIN not in present or self.held_out not in choices:
            raise DataError(
                f"data.held_out={self.held_out}: data.root={self.folder} needs a folder {TRAIN} and, beside it, the "
                f"folder of held-out images; it has {', '.join(present) or 'no folders'}."
            )
        if unread := [name for name in choices if name != self.held_out]:
            self.notes.append(
                f"data.held_out={self.held_out}: folders of {self.folder} that are not read: {', '.join(unread)}"
            )
        return [self.folder / TRAIN, self.folder / self.held_out]

    def _list(self, folder: Path) -> list[Path]:
        """The images of one part, with a note on what is left out; DataError if there are too few of them."""
        listing = list_files(folder, SUFFIXES, "data.root")
        paths = listing.files
        if len(paths) < (2 if self.held_out is None else 1):
            need = "2 are needed: one to train on and one to hold out" if self.held_out is None else "1 is needed"
            raise DataError(
                f"data.root={folder} holds {len(paths)} images ({', '.join(SUFFIXES)}), but at least {need}"
                f"{'; ' + listing.note if listing.left_out else ''}."
            )
        if listing.left_out:
            self.notes.append(f"data.root={folder}: {len(paths):,} images, {listing.note}")
        return paths

    def _classes(self, parts: Sequence[tuple[Path, Sequence[Path]]], paths: Sequence[Path]) -> Classes:
        """The classes as the setting says, with a note on them; DataError if there is one alone."""
        if self.classes == "none":
            self.notes += hint_of_classes(parts)
            return Classes.of(["image"] * len(paths))
        if self.classes == "folders":
            classes, unread = by_folder(parts), 0
        else:
            classes, unread = by_csv(self.folder / self.classes, self.folder, paths)
        if len(classes.names) < 2:
            raise DataError(
                f"data.classes={self.classes}: {classes.names[0]} is the only class of data.root={self.folder}; give "
                "images of another, or set data.classes=none."
            )
        lines = f"; it labels {unread:,} files that are not read" if unread else ""
        self.notes.append(f"data.classes={self.classes}: {classes.note}{lines}")
        return classes

    def _split(self, parts: Sequence[tuple[Path, Sequence[Path]]], classes: Classes) -> tuple[Tensor, Tensor]:
        """The numbers of the training and of the held-out images; DataError for a class without images in either."""
        if self.held_out is None:
            train, test = draw_split(classes)
        else:
            train, test = torch.arange(len(classes.labels)).tensor_split([len(parts[0][1])])
        check_split(classes, train, test, f"data.classes={self.classes}", f"data.root={self.folder}")
        return train, test
