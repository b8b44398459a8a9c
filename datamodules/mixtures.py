"""Points of the plane, drawn from mixtures of Gaussians whose density is known exactly."""

import math

import numpy as np
import torch
from torch import Tensor

from datamodules.base import DataError, ImageDataModule, Split

TRAIN, TEST = 100_000, 26_000  # points
SEED = 0

# RandomState draws normal numbers by the polar method, u sqrt(-2 ln(s) / s) with s = u^2 + v^2 > 0. As |u| <= sqrt(s)
# and u and v are multiples of 2^-52, so that s >= 2^-104, no draw is further from 0 than this, 12.007.
LARGEST_DRAW = math.sqrt(-2 * math.log(2.0**-104))


class Mixture(ImageDataModule):
    """Points x of a mixture of Gaussians as float32 images, 2 x 1 x 1 in [-1, 1]; channel d is coordinate d.

    All K components are equally likely and isotropic: p(x) = 1/K sum_k N(x; centres[k], deviation^2 I). The label is
    the component. The points are always the same, whatever the training seed.

    A subclass sets `centres`, float32 K x 2, and `deviation`, which are there without `setup()`. It leaves more than
    LARGEST_DRAW deviations between the outermost centres and 1, so that no point has to be clipped.

    Raises:
        DataError: in `setup()`, for a `root`: there is nothing to read.
    """

    centres: Tensor
    deviation: float

    def load(self) -> tuple[Split, Split]:
        """Draw all points at once and hold out the last ones."""
        if self.root is not None:
            raise DataError(
                f"data.root={self.root} is not used, because the points are drawn from a formula; leave it out."
            )
        rng = np.random.RandomState(SEED)  # its stream is frozen (NEP 19), that of default_rng is not
        component = rng.randint(len(self.centres), size=TRAIN + TEST, dtype=np.int64)
        # Rounded to float32 last, which hides the last bits, where the logarithms of two machines may differ.
        points = self.centres.numpy()[component] + self.deviation * rng.standard_normal((TRAIN + TEST, 2))
        images = torch.from_numpy(points.astype(np.float32)).reshape(-1, 2, 1, 1)
        labels = torch.from_numpy(component)
        return Split(images[:TRAIN], labels[:TRAIN]), Split(images[TRAIN:], labels[TRAIN:])


class Grid25(Mixture):
    """100,000 + 26,000 points of 25 Gaussians on a 5 x 5 grid, 2 x 1 x 1 in [-1, 1], labels 0 .. 24.

    PacGAN's 2D grid (Lin et al., 2018, arXiv:1712.04086, after VEEGAN, Srivastava et al., 2017, arXiv:1705.07761),
    whose centres are -4, -2, 0, 2, 4 along both axes with variance 0.0025, divided by 5. Component 5 i + j is the i-th
    along channel 0 and the j-th along channel 1.
    """

    centres = torch.cartesian_prod(torch.arange(-4, 5, 2), torch.arange(-4, 5, 2)) / 5
    deviation = 0.05 / 5


class Ring8(Mixture):
    """100,000 + 26,000 points of 8 Gaussians on a ring, 2 x 1 x 1 in [-1, 1], labels 0 .. 7.

    PacGAN's 2D ring (Lin et al., 2018, arXiv:1712.04086, after VEEGAN, Srivastava et al., 2017, arXiv:1705.07761),
    of radius 1 with variance 0.0001, divided by 1.25. Component k stands at the angle 2 pi k / 8.
    """

    centres = torch.tensor([[math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)] for k in range(8)]) / 1.25
    deviation = 0.01 / 1.25
