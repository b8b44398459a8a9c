"""A data set of Hugging Face's library `datasets`: by its name on huggingface.co, or a folder of its files."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from datamodules.base import DataError, ImageDataModule, Split
from datamodules.classes import Classes, check_split, draw_split
from datamodules.decoding import Encoded, decoded
from datamodules.duplicates import copies

SAVED = ("dataset_dict.json", "state.json")  # in a folder that save_to_disk has written: of several splits, of one


class HuggingFace(ImageDataModule):
    """The images of one column of a data set, 8-bit, scaled and cropped as those of an `ImageFolder`.

    Args:
        dataset: its name, as in ylecun/mnist, which is downloaded once into the library's own cache; or a folder of
            parquet files, of images, or that `save_to_disk` has written.
        config: the configuration, where it has several.
        split: of the training images.
        held_out: the split of the held-out images. None holds out a tenth of each class of `split`, of fewer than 200
            images up to a third, by a fixed draw, the same for every training seed.
        image: the column of the images.
        label: the column of the classes: class labels, whole numbers or texts; None: all labels are 0.
        revision: the commit, tag or branch of the data set; None: the newest.
        size: pixels a side.
        batch_size: images a batch over all ranks.
        images: budget, the number of training images to be seen; rounded up to whole batches.
        seed: of the order of the training images.

    Raises:
        DataError: in `prepare_data()` and `setup()`, without the library, for a data set that cannot be loaded, for a
            split or a column that it does not have, for an image without a class, and for one that cannot be decoded.
    """

    own = True

    def __init__(
        self,
        *,
        dataset: str,
        config: str | None = None,
        split: str = "train",
        held_out: str | None = None,
        image: str = "image",
        label: str | None = None,
        revision: str | None = None,
        size: PositiveInt = 64,
        batch_size: PositiveInt = 64,
        images: PositiveInt = 60_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, images=images, seed=seed)
        self.dataset, self.config, self.revision = dataset, config, revision
        self.split, self.held_out = split, held_out
        self.image, self.label = image, label
        self.size = size

    def prepare_data(self) -> None:
        """Download the data set unless it is in the library's cache."""
        self._splits()

    def load(self) -> tuple[Split, Split]:
        """Decode the images of both splits."""
        splits, package = self._splits(), library()
        parts = [self._part(splits, name) for name in dict.fromkeys((self.split, self.held_out or self.split))]
        self._note(splits, package)
        rows = package.concatenate_datasets(parts)
        classes = self._classes(rows, package)
        if self.held_out is None:
            train, test = draw_split(classes)
        else:
            train, test = torch.arange(len(rows)).tensor_split([len(parts[0])])
        check_split(classes, train, test, f"data.label={self.label}", f"data.dataset={self.dataset}")
        order = torch.cat([train, test]).tolist()
        images, notes = self._images(rows.cast_column(self.image, package.Image(decode=False)), order)
        self.notes += [*notes, *copies(images, [f"row {number}" for number in order], len(train))]
        trained, held_out = images.tensor_split([len(train)])
        return Split(trained, classes.labels[train]), Split(held_out, classes.labels[test])

    def digest(self, split: str) -> str:
        """Hexadecimal sha256 of the images of 'train' or 'test', and of their labels if `label` gives them some."""
        images = super().digest(split)
        if self.label is None:
            return images
        labels = {"train": self.train_labels, "test": self.test_labels}[split]
        return hashlib.sha256(images.encode() + labels.numpy().tobytes()).hexdigest()

    def _splits(self) -> dict[str, Any]:
        """The splits by name, each a table of rows."""
        package, folder = library(), Path(self.dataset).expanduser()
        try:
            if any((folder / name).is_file() for name in SAVED):
                found = package.load_from_disk(str(folder))
            else:
                place = str(folder) if folder.is_dir() else self.dataset
                found = package.load_dataset(place, self.config, revision=self.revision)
        except Exception as error:  # the library's, pyarrow's and the network's errors have no common base
            raise DataError(f"data.dataset={self.dataset} {cause(error)}.") from error
        return dict(found) if isinstance(found, dict) else {self.split: found}

    def _part(self, splits: dict[str, Any], name: str) -> Any:
        """The rows of one split; DataError if there is none, or if it lacks the columns."""
        if name not in splits:
            key = "data.split" if name == self.split else "data.held_out"
            raise DataError(f"{key}={name}: data.dataset={self.dataset} has the splits {', '.join(splits)}.")
        rows = splits[name]
        kind = library().Image
        pictures = [column for column, feature in rows.features.items() if isinstance(feature, kind)]
        if self.image not in pictures:
            held = f"the images of data.dataset={self.dataset} are in {', '.join(pictures) or 'no column'}"
            raise DataError(f"data.image={self.image}: {held}; its columns are {', '.join(rows.features)}.")
        columns = [column for column in rows.features if column != self.image]
        if self.label is not None and self.label not in columns:
            held = f"the columns of data.dataset={self.dataset} beside its images are {', '.join(columns) or 'none'}"
            raise DataError(f"data.label={self.label}: {held}.")
        return rows.select_columns([self.image] if self.label is None else [self.image, self.label])

    def _note(self, splits: dict[str, Any], package: ModuleType) -> None:
        """Note the splits that are not read, and columns of classes that nobody has named."""
        if unread := [name for name in splits if name not in (self.split, self.held_out)]:
            usual = "test" if "test" in unread else unread[0]
            more = "" if self.held_out else f"; data.held_out={usual} would hold out its images"
            self.notes.append(f"data.dataset={self.dataset}: splits that are not read: {', '.join(unread)}{more}")
        features = splits[self.split].features
        named = [column for column, feature in features.items() if isinstance(feature, package.ClassLabel)]
        if self.label is None and named:
            self.notes.append(f"data.dataset={self.dataset} has classes; set data.label={named[0]} to use them")

    def _classes(self, rows: Any, package: ModuleType) -> Classes:
        """The class of each row, with a note on them; DataError for a row without one."""
        if self.label is None:
            return Classes.of(["image"] * len(rows))
        feature, values = rows.features[self.label], rows[self.label][:]
        if any(isinstance(value, (list, dict, float)) for value in values[:1]):
            raise DataError(f"data.label={self.label}: holds {feature}; choose a column of classes.")
        if missing := sum(value is None or value == -1 for value in values):
            raise DataError(f"data.label={self.label}: {missing:,} of {len(values):,} images have no class.")
        if isinstance(feature, package.ClassLabel):
            classes = Classes(list(feature.names), torch.tensor(values))
        else:
            classes = Classes.of([str(value) for value in values])
        if len(classes.names) < 2:
            raise DataError(f"data.label={self.label}: {classes.names[0]} is the only class; leave data.label out.")
        self.notes.append(f"data.label={self.label}: {classes.note}")
        return classes

    def _images(self, rows: Any, order: Sequence[int]) -> tuple[Tensor, list[str]]:
        """The images of the rows in an order, uint8 N x C x size x size, and notes."""

        def encoded(number: int) -> bytes:
            stored = rows[number][self.image] or {}
            return stored.get("bytes") or (Path(stored["path"]).read_bytes() if stored.get("path") else b"")

        sources = [Encoded(f"data.dataset={self.dataset}, row {n}", partial(encoded, n)) for n in order]
        facts = (self.dataset, self.config, self.split, self.held_out, self.image, self.label)
        return decoded(sources, self.size, repr((*facts, self.size)), [rows._fingerprint])


def cause(error: Exception) -> str:
    """Return why a data set cannot be loaded, and what to do, as a clause."""
    if isinstance(error, ConnectionError):
        return (
            "is not in the cache of the library, and huggingface.co cannot be reached; name a folder of its files as "
            "data.dataset=DIR, or run the command once where there is a network"
        )
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"cannot be loaded: {reason[:300]}"


def library() -> ModuleType:
    """Import `datasets`, an optional package; DataError where it is not installed."""
    try:
        import datasets
    except ImportError as error:
        raise DataError("data=hugging_face needs the package datasets: pip install datasets.") from error
    module: ModuleType = datasets
    return module
