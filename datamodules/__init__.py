"""Where images come from: float32 in [-1, 1], N x C x H x W. To add a dataset, write one file and add one line here.

Each is imported when it is asked for, so that the names alone cost no import of torch.
"""

from collections import UserDict
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.base import ImageDataModule


class Datamodules(UserDict[str, "type[ImageDataModule]"]):
    """Name -> class, which is imported when it is read."""

    def __init__(self, **places: str) -> None:
        """places: "module:Class" by name."""
        super().__init__(places)  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> "type[ImageDataModule]":
        value = super().__getitem__(name)
        return resolve_name(value) if isinstance(value, str) else value


DATAMODULES = Datamodules(
    mnist="datamodules.mnist:Mnist",
    fashion_mnist="datamodules.mnist:FashionMnist",
    kmnist="datamodules.kmnist:Kmnist",
    emnist="datamodules.emnist:Emnist",
    cifar10="datamodules.cifar:Cifar10",
    cifar100="datamodules.cifar:Cifar100",
    svhn="datamodules.svhn:Svhn",
    celeba="datamodules.celeba:CelebA",
    image_folder="datamodules.image_folder:ImageFolder",
    hugging_face="datamodules.hugging_face:HuggingFace",
    stacked_mnist="datamodules.stacked_mnist:StackedMnist",
    grid_25="datamodules.mixtures:Grid25",
    ring_8="datamodules.mixtures:Ring8",
)
