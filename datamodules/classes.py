"""The class of each image of a user's folder: the sub-folder that it lies in, or its label in a CSV file."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from datamodules.base import DataError, held_out_share, split_indices
from datamodules.folders import subfolders

COLUMNS = ("file", "label")  # of a CSV file, which may have more
NAMED = 10  # classes that a note names
SPLITS = {"train", "test", "val", "valid", "validation"}  # names of folders that are hardly ever classes


@dataclass(frozen=True)
class Classes:
    """The names of the classes, in the order of their labels 0, 1, ..., and the label of each image, int64 N."""

    names: list[str]
    labels: Tensor

    @classmethod
    def of(cls, names: Sequence[str]) -> "Classes":
        """From the class name of each image. Names are sorted as text, or as numbers if all are whole numbers."""
        whole = all(name.isascii() and name.isdigit() for name in names)
        ordered = sorted(set(names), key=(lambda name: (int(name), name)) if whole else None)
        number = {name: label for label, name in enumerate(ordered)}
        return cls(ordered, torch.tensor([number[name] for name in names]))

    @property
    def note(self) -> str:
        """'3 classes: cat, dog, fox', at most NAMED of them by name."""
        more = f" and {len(self.names) - NAMED:,} more" if len(self.names) > NAMED else ""
        return f"{len(self.names):,} classes: {', '.join(self.names[:NAMED])}{more}"


def draw_split(classes: Classes) -> tuple[Tensor, Tensor]:
    """Draw the numbers of the training and of the held-out images, ascending: the same share of every class."""
    share = held_out_share(len(classes.labels))
    members = [(classes.labels == label).nonzero().flatten() for label in range(len(classes.names))]
    draws = [[images[part] for part in split_indices(len(images), share)] for images in members if len(images)]
    train, test = (torch.cat(part).sort().values for part in zip(*draws, strict=True))
    return train, test


def check_split(classes: Classes, train: Tensor, test: Tensor, key: str, place: str) -> None:
    """Raise DataError unless both splits have images, and images of each class.

    train, test: the numbers of their images. key: the setting of the classes, for messages. place: that of the images.
    """
    count = len(classes.names)
    shares = (torch.bincount(classes.labels[part], minlength=count).tolist() for part in (train, test))
    for name, trained, judged in zip(classes.names, *shares, strict=True):
        if not trained or not judged:
            subject = f"class {name}" if count > 1 else "the data set"
            raise DataError(
                f"{key}: {subject} has {trained:,} images to train on and {judged:,} held out in {place}; at least "
                "one of each is needed."
            )


def by_folder(parts: Sequence[tuple[Path, Sequence[Path]]]) -> Classes:
    """Return the classes of images that lie in the sub-folders of one or of several folders.

    parts: folders and the images below each. The name of a class is that of the sub-folder, however deep below it an
    image lies.

    Raises DataError for an image in no sub-folder, for an empty sub-folder, and for sub-folders that are splits.
    """
    names = []
    for folder, paths in parts:
        places = [path.relative_to(folder).parts for path in paths]
        if loose := [path for path, place in zip(paths, places, strict=True) if len(place) == 1]:
            raise DataError(
                f"data.classes=folders: {len(loose):,} images lie in no sub-folder of {folder}, which would be their "
                f"class, the first {loose[0]}; move them into one."
            )
        inside = [place[0] for place in places]
        filled = set(inside)
        if empty := [name for name in subfolders(folder) if name not in filled]:
            raise DataError(
                f"data.classes=folders: {folder / empty[0]} holds no images; remove it, or put images of the class "
                "into it."
            )
        names += inside
    classes = Classes.of(names)
    if "train" in classes.names and SPLITS.issuperset(classes.names):
        raise DataError(
            f"data.classes=folders: the sub-folders of {parts[0][0]} are {', '.join(classes.names)}, which are splits "
            "and no classes; name the one of held-out images as data.held_out=NAME."
        )
    return classes


def hint_of_classes(parts: Sequence[tuple[Path, Sequence[Path]]]) -> list[str]:
    """Return a sentence about sub-folders that may be classes, which nobody has called so; none where there are none.

    parts: as of `by_folder`.
    """
    try:
        classes = by_folder(parts)
    except DataError:
        return []
    if len(classes.names) < 2:
        return []
    return [f"if the sub-folders are classes, set data.classes=folders ({classes.note})"]


def by_csv(file: Path, root: Path, paths: Iterable[Path]) -> tuple[Classes, int]:
    """Return the classes of images that a CSV file labels, and how many of its lines label files that are not `paths`.

    Its first line names the columns `file`, the path of an image relative to `root`, and `label`, the name of its
    class; further columns are ignored.

    Raises DataError for a file that is no such CSV file, for an image without a label or with two, and for a label of a
    file that is not there.
    """
    labels = _read(file, root)
    keys = [os.path.normpath(path) for path in paths]
    if unlabelled := [key for key in keys if key not in labels]:
        raise DataError(
            f"{file} has no label for {len(unlabelled):,} of {len(keys):,} images, the first {unlabelled[0]}; add a "
            "line for each, or remove these images."
        )
    unread = set(labels).difference(keys)
    if missing := sorted(key for key in unread if not os.path.exists(key)):
        raise DataError(
            f"{file} labels {len(missing):,} files that are not there, the first {missing[0]}; paths in it are "
            f"relative to data.root={root}."
        )
    return Classes.of([labels[key] for key in keys]), len(unread)


def _read(file: Path, root: Path) -> dict[str, str]:
    """The labels in a CSV file by the path of the image, normalised."""
    labels: dict[str, str] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream)
            header = [name.strip() for name in next(lines, [])]
            if any(header.count(name) != 1 for name in COLUMNS):
                raise DataError(
                    f"{file} begins with the line {','.join(header)!r}; expected a line that names the columns, "
                    f"{' and '.join(COLUMNS)} among them."
                )
            for line in filter(None, lines):
                name, label = _entry(f"{file}, line {lines.line_num}", header, line)
                key = os.path.normpath(root / name)
                if key in labels:
                    raise DataError(f"{file}, line {lines.line_num}: {name} has a label already.")
                labels[key] = label
    except OSError as error:
        raise DataError(f"{file}, the file of data.classes, cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no CSV file in UTF-8: {error}.") from error
    return labels


def _entry(place: str, header: Sequence[str], line: Sequence[str]) -> tuple[str, str]:
    """The file and the label of one line; `place` is of the line, for messages."""
    if len(line) != len(header):
        raise DataError(f"{place}: {len(line)} columns, but the first line names {len(header)}.")
    name, label = (line[header.index(column)].strip() for column in COLUMNS)
    if not name or not label:
        raise DataError(f"{place}: {'label' if name else 'file'} is empty.")
    return name, label
