"""Stacked MNIST: a digit in each colour channel, so that there are 1000 modes which can be counted."""

import numpy as np
import torch

from datamodules.base import ImageDataModule, Split
from datamodules.mnist import Mnist

TRAIN, TEST = 60_000, 26_000  # triples
SEED = 0
PLACES = (100, 10, 1)  # what the digit of each channel counts in the label


class StackedMnist(ImageDataModule):
    """60,000 + 26,000 triples of MNIST digits, one a colour channel, 3 x 28 x 28, labels 0 .. 999 (Metz et al., 2017).

    The digits a, b, c of channels 0, 1, 2 make the label 100 a + 10 b + c. Each is drawn on its own and with
    replacement, those of the training triples from MNIST's training digits, those of the held-out triples from its
    test digits. The draw is always the same, whatever the training seed.

    Made to count the modes that a generator covers (Metz et al., 2017, arXiv:1611.02163, section 3.3.1), as VEEGAN
    (Srivastava et al., 2017, arXiv:1705.07761) and PacGAN (Lin et al., 2018, arXiv:1712.04086) do. PacGAN's code trains
    on 128,000 triples and judges 26,000 samples; here as many are trained on as MNIST has, and 26,000 are held out.

    `root` is that of `Mnist`.

    Raises:
        DataError: in `setup()`, for a file of MNIST that is missing or is not the published one.
    """

    def load(self) -> tuple[Split, Split]:
        """Read MNIST and stack its digits."""
        train, test = Mnist(root=self.root).load()
        rng = np.random.RandomState(SEED)  # its stream is frozen (NEP 19), that of default_rng is not
        return _stack(train, TRAIN, rng), _stack(test, TEST, rng)


def _stack(digits: Split, count: int, rng: np.random.RandomState) -> Split:
    """`count` triples of `digits`, N x 1 x H x W, as count x 3 x H x W."""
    # The type is given because NumPy's default, and with it the stream, has been another one on Windows.
    index = torch.from_numpy(rng.randint(len(digits.images), size=(count, len(PLACES)), dtype=np.int64))
    return Split(digits.images[:, 0][index], digits.labels[index] @ torch.tensor(PLACES))
