"""Where images come from: float32 in [-1, 1], N x C x H x W. To add a dataset, write one file and add one line here."""

from datamodules.base import RUNNER_ARGUMENTS, DataError, ImageDataModule
from datamodules.cifar10 import Cifar10
from datamodules.image_folder import ImageFolder
from datamodules.mixtures import Grid25, Mixture, Ring8
from datamodules.mnist import FashionMnist, Mnist
from datamodules.stacked_mnist import StackedMnist
from datamodules.stream import BatchStream, to_unit

DATAMODULES: dict[str, type[ImageDataModule]] = {
    "mnist": Mnist,
    "fashion_mnist": FashionMnist,
    "cifar10": Cifar10,
    "image_folder": ImageFolder,
    "stacked_mnist": StackedMnist,
    "grid_25": Grid25,
    "ring_8": Ring8,
}

__all__ = [
    "DATAMODULES",
    "RUNNER_ARGUMENTS",
    "BatchStream",
    "DataError",
    "ImageDataModule",
    "Mixture",
    "to_unit",
]
