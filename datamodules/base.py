"""The base of every data set: the splits in memory, their digests, and the stream of training batches."""

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import lightning as L
import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from datamodules.stream import BatchStream

# Constructor arguments that the runner supplies from the training's own settings; never keys of a dataset's YAML.
RUNNER_ARGUMENTS = ("batch_size", "images", "seed")

HELD_OUT_SHARE = 0.1
HELD_OUT_LEAST = 20  # images, of which up to MOST_HELD_OUT of a small set are held out
MOST_HELD_OUT = 1 / 3
HELD_OUT_SEED = 0


class DataError(ValueError):
    """A user's mistake about data; the message is one sentence that names the file or key."""


@dataclass(frozen=True)
class Split:
    """Images, N x C x H x W and contiguous, uint8 or, where 8 bits are too few, float32 in [-1, 1]; int64 labels, N.

    The labels are all zero where the set has none.
    """

    images: Tensor
    labels: Tensor


def held_out_share(count: int) -> float:
    """Return the share of `count` >= 1 images that is held out: a tenth, and of fewer than 200 up to a third.

    Every bar of the table is measured on held-out images, and a tenth of a small set would be too few of them.
    """
    return max(HELD_OUT_SHARE, min(MOST_HELD_OUT, HELD_OUT_LEAST / count))


def split_indices(count: int, share: float = HELD_OUT_SHARE) -> tuple[Tensor, Tensor]:
    """Numbers of the training and of the held-out images, ascending, for `count` >= 1 images without official split.

    share: of the images that is held out, at least one. The draw does not depend on the training seed, so that runs
    of different seeds are judged against the same images.
    """
    order = torch.from_numpy(np.random.default_rng(HELD_OUT_SEED).permutation(count))
    held_out = max(1, round(share * count))
    return order[held_out:].sort().values, order[:held_out].sort().values


class ImageDataModule(L.LightningDataModule, ABC):
    """Images held in memory as their `Split` has them, and served as float32 in [-1, 1].

    `prepare_data()` fetches files, where a dataset can; `setup()` reads them. Both are cheap when called again.
    The constructor's signature, less RUNNER_ARGUMENTS, is the schema of the dataset's YAML.

    After `setup()`: `train_images` and `test_images` (uint8 or float32, N x C x H x W, contiguous), `train_labels`
    and `test_labels` (int64, N, all zero where the set has none), `image_shape` (C, H, W). 'test' is held out.
    `notes` are sentences that a user should read about the files: what was left out, what is doubtful.
    `own` says whether the images are the user's, so that two data sets of this class may have nothing in common.

    Args:
        root: folder of the dataset; what None means is the dataset's to say.
        batch_size: images a batch over all ranks.
        images: budget, the number of training images to be seen; rounded up to whole batches.
        seed: of the order of the training images.
    """

    own: ClassVar[bool] = False
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    image_shape: tuple[int, int, int]

    def __init__(
        self,
        *,
        root: str | None = None,
        batch_size: PositiveInt = 64,
        images: PositiveInt = 60_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.root = root
        self.batch_size = batch_size
        self.images = images
        self.seed = seed
        self.notes: list[str] = []
        self._loaded = False
        self._digests: dict[str, str] = {}

    @abstractmethod
    def load(self) -> tuple[Split, Split]:
        """Read the training and the held-out split; DataError where a file is missing or not what it should be."""

    def setup(self, stage: str | None = None) -> None:
        """Load both splits, whatever the stage: the evaluation needs the training split as well."""
        if self._loaded:
            return
        train, test = self.load()
        self.train_images, self.train_labels = train.images, train.labels
        self.test_images, self.test_labels = test.images, test.labels
        channels, height, width = train.images.shape[1:]
        self.image_shape = (channels, height, width)
        self._loaded = True

    def digest(self, split: str) -> str:
        """Hexadecimal sha256 of the shape and the bytes of the images of 'train' or 'test'."""
        if split not in self._digests:
            images = {"train": self.train_images, "test": self.test_images}[split]
            sha256 = hashlib.sha256(str(tuple(images.shape)).encode())
            sha256.update(images.numpy().data)
            self._digests[split] = sha256.hexdigest()
        return self._digests[split]

    def train_dataloader(self) -> BatchStream:
        """The budget's batches, on the device and for the rank of the attached trainer; on the CPU without one.

        Raises:
            DataError: `batch_size` cannot be shared equally by the trainer's processes.
        """
        device, rank, world_size = torch.device("cpu"), 0, 1
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        if self.batch_size % world_size:
            raise DataError(f"batch_size={self.batch_size} cannot be shared equally by {world_size} processes.")
        return BatchStream(
            self.train_images,
            self.train_labels,
            batch_size=self.batch_size,
            batches=math.ceil(self.images / self.batch_size),
            seed=self.seed,
            device=device,
            rank=rank,
            world_size=world_size,
        )
