"""SVHN, the Street View House Numbers, from its official MATLAB files of cropped digits."""

import io
from typing import ClassVar

import numpy as np
import torch

from datamodules.base import Split
from datamodules.published import PublishedFiles

TRAIN, TEST = "train_32x32.mat", "test_32x32.mat"


class Svhn(PublishedFiles):
    """73,257 + 26,032 photographs of house numbers, 3 x 32 x 32, labels 0 .. 9 (Netzer et al., 2011).

    The further digits, `extra`, are left out. Read from root, torchvision's layout; `root` None is
    ~/.cache/generative-trilemma.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a file that is not the published one; such a file is never replaced.
    """

    title = "SVHN"
    source = "SVHN"
    downloads = ({"split": "train"}, {"split": "test"})
    folder = ""
    # The md5 that torchvision checks as well.
    files: ClassVar[dict[str, str]] = {
        TRAIN: "e26dedcc434d2e4c54c9b2d4a06d8373",
        TEST: "eb5a983be6a315427106f1b164d9cef3",
    }

    def load(self) -> tuple[Split, Split]:
        """Read both files."""
        self.check_presence()
        return self._read_split(TRAIN), self._read_split(TEST)

    def _read_split(self, name: str) -> Split:
        """'X', uint8 32 x 32 x 3 x n, and 'y', n x 1, in which the digit 0 has the label 10."""
        from scipy.io import loadmat  # slow to import

        content = loadmat(io.BytesIO(self.read(name)), variable_names=("X", "y"))
        images = np.ascontiguousarray(content["X"].transpose(3, 2, 0, 1))
        return Split(torch.from_numpy(images), torch.from_numpy(content["y"][:, 0].astype(np.int64) % 10))
