"""CIFAR-10 from its official python batches."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.base import DataError, ImageDataModule, Split
from datamodules.files import absence, check_md5, download, read_bytes, root_folder

FOLDER = "cifar-10-batches-py"
SHAPE = (3, 32, 32)

# The published md5 of each file, which torchvision checks as well.
TRAIN_FILES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
TEST_FILES = {"test_batch": "40351d587109b95175f43aff81a1287e"}

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


class Cifar10(ImageDataModule):
    """50,000 + 10,000 photographs, 3 x 32 x 32, labels 0 .. 9 (Krizhevsky, 2009).

    Read from root/cifar-10-batches-py, torchvision's layout; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a file that is not the published one; such a file is never replaced.
    """

    def prepare_data(self) -> None:
        """Download the files through torchvision if any is missing."""
        sentence = self._absence()
        if sentence is None:
            return
        for name, md5 in (TRAIN_FILES | TEST_FILES).items():
            path = self._folder() / name
            if path.is_file():
                check_md5(path, read_bytes(path), md5)  # torchvision would overwrite a file that differs
        with download(sentence):
            from torchvision.datasets import CIFAR10  # slow to import, rarely needed

            CIFAR10(root_folder(self.root), download=True)

    def load(self) -> tuple[Split, Split]:
        """Read the five training batches and the test batch."""
        if sentence := self._absence():
            raise DataError(f"{sentence}.")
        return _read_split(self._folder(), TRAIN_FILES), _read_split(self._folder(), TEST_FILES)

    def _folder(self) -> Path:
        return root_folder(self.root) / FOLDER

    def _absence(self) -> str | None:
        names = [*TRAIN_FILES, *TEST_FILES]
        missing = [name for name in names if not (self._folder() / name).is_file()]
        return absence("CIFAR-10", names, [self._folder()], missing) if missing else None


def _read_split(folder: Path, files: dict[str, str]) -> Split:
    batches = [_read_batch(folder / name, md5) for name, md5 in files.items()]
    images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, *SHAPE)
    labels = [label for batch in batches for label in batch["labels"]]
    return Split(torch.from_numpy(images), torch.tensor(labels))


def _read_batch(path: Path, md5: str) -> dict[str, Any]:
    """'data', uint8 n x 3072, and 'labels', a list of n; nothing is unpickled before its digest is checked."""
    data = read_bytes(path)
    check_md5(path, data, md5)
    try:
        # Written by Python 2, whose strings hold the pixels as bytes: latin1 maps them one to one.
        batch: dict[str, Any] = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise DataError(f"{path} is not a pickle of arrays: {error}.") from error
    return batch
