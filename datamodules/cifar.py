"""CIFAR-10 and CIFAR-100 from their official python batches."""

import io
import pickle
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from datamodules.base import DataError, Split
from datamodules.published import PublishedFiles

SHAPE = (3, 32, 32)

# All that the official files ask for: NumPy's array, its dtype, and the function that rebuilds an array,
# taken from NumPy itself because its module has moved since the files were written.
PICKLE_GLOBALS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
}


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds arrays and plain containers, and refuses whatever else a pickle may call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PICKLE_GLOBALS:
            raise pickle.UnpicklingError(f"it calls {module}.{name}")
        return PICKLE_GLOBALS[module, name]


class _Cifar(PublishedFiles):
    """Batches of images with their labels; the last of `files` is the test batch.

    label_key: of the labels in each batch.
    """

    label_key: ClassVar[str]

    def load(self) -> tuple[Split, Split]:
        """Read the training batches and the test batch."""
        self.check_presence()
        *train, test = self.files
        return self._read_split(train), self._read_split([test])

    def _read_split(self, names: Sequence[str]) -> Split:
        batches = [self._read_batch(name) for name in names]
        images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, *SHAPE)
        labels = [label for batch in batches for label in batch[self.label_key]]
        return Split(torch.from_numpy(images), torch.tensor(labels))

    def _read_batch(self, name: str) -> dict[str, Any]:
        """'data', uint8 n x 3072, and the labels, a list of n; nothing is unpickled before its digest is checked."""
        data = self.read(name)
        try:
            # Written by Python 2, whose strings hold the pixels as bytes: latin1 maps them one to one.
            batch: dict[str, Any] = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
        except (pickle.UnpicklingError, EOFError) as error:
            raise DataError(f"{self.place / name} is not a pickle of arrays: {error}.") from error
        return batch


class Cifar10(_Cifar):
    """50,000 + 10,000 photographs, 3 x 32 x 32, labels 0 .. 9 (Krizhevsky, 2009).

    Read from root/cifar-10-batches-py, torchvision's layout; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a file that is not the published one; such a file is never replaced.
    """

    title = "CIFAR-10"
    source = "CIFAR10"
    folder = "cifar-10-batches-py"
    label_key = "labels"
    # The published md5 of each file, which torchvision checks as well.
    files: ClassVar[dict[str, str]] = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }


class Cifar100(_Cifar):
    """50,000 + 10,000 photographs, 3 x 32 x 32, labels 0 .. 99, the fine ones (Krizhevsky, 2009).

    Read from root/cifar-100-python, torchvision's layout; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: as `Cifar10` does.
    """

    title = "CIFAR-100"
    source = "CIFAR100"
    folder = "cifar-100-python"
    label_key = "fine_labels"
    files: ClassVar[dict[str, str]] = {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    }
