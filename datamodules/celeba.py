"""CelebA, the aligned faces, cropped to squares and scaled."""

import os
from functools import partial
from typing import ClassVar

import torch
from pydantic import NonNegativeInt, PositiveInt

from datamodules.base import DataError, Split
from datamodules.decoding import decode
from datamodules.files import absence
from datamodules.mapped import file_facts, held
from datamodules.published import PublishedFiles

PARTITION = "list_eval_partition.txt"  # a line for each image: its name, and TRAIN, 1 for validation, or TEST
IMAGES = "img_align_celeba"  # the folder of the images, 178 x 218 pixels
TRAIN, TEST = "0", "2"


class CelebA(PublishedFiles):
    """162,770 + 19,962 faces, 3 x size x size, without labels (Liu, Luo, Wang and Tang, 2015, arXiv:1411.7766).

    The centre square of each image, 178 pixels a side, is scaled (Lanczos) to `size`. The official validation images
    are left out. Read from root/celeba, torchvision's layout: list_eval_partition.txt and img_align_celeba/; `root`
    None is ~/.cache/generative-trilemma. torchvision needs the package gdown for the download.

    Args:
        root: folder of the dataset.
        size: pixels a side.
        batch_size: images a batch over all ranks.
        images: budget, the number of training images to be seen; rounded up to whole batches.
        seed: of the order of the training images.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a partition that is not the published one; in `setup()`, for an image that is missing or damaged.
    """

    title = "CelebA"
    source = "CelebA"
    downloads = ({"split": "all"},)
    folder = "celeba"
    files: ClassVar[dict[str, str]] = {PARTITION: "d32c9cbf5e040fd4025c592c306e6668"}  # torchvision checks it as well

    def __init__(
        self,
        *,
        root: str | None = None,
        size: PositiveInt = 64,
        batch_size: PositiveInt = 64,
        images: PositiveInt = 60_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(root=root, batch_size=batch_size, images=images, seed=seed)
        self.size = size

    def absence(self) -> str | None:
        """Say whether the partition or the folder of images is missing."""
        names = [PARTITION, IMAGES]
        missing = [name for name in names if not (self.place / name).exists()]
        return absence(self.title, names, [self.place], missing) if missing else None

    def load(self) -> tuple[Split, Split]:
        """Decode the training and the test images."""
        self.check_presence()
        lines = [line.split() for line in self.read(PARTITION).decode().splitlines()]
        names = {part: [name for name, number in lines if number == part] for part in (TRAIN, TEST)}
        present = set(os.listdir(self.place / IMAGES))
        if missing := [name for part in names.values() for name in part if name not in present]:
            raise DataError(
                f"{self.place / IMAGES} lacks {len(missing):,} of the images of {PARTITION}, the first {missing[0]}."
            )
        paths = [self.place / IMAGES / name for name in (*names[TRAIN], *names[TEST])]
        shape = (len(paths), 3, self.size, self.size)
        subject = f"{self.place.resolve()} {self.size}"
        images, note = held(shape, partial(decode, paths), subject, map(file_facts, paths))
        self.notes += [note] if note else []
        parts = images.tensor_split([len(names[TRAIN])])
        train, test = (Split(part, torch.zeros(len(part), dtype=torch.int64)) for part in parts)
        return train, test
