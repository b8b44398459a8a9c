"""MNIST, which ships with the project, and Fashion-MNIST, which has the same format."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from datamodules.base import ImageDataModule, Split
from datamodules.files import root_folder
from datamodules.idx import IdxFile, IdxSet, PublishedIdx

TRAIN, TEST = 60_000, 10_000  # images
SIZE = 28  # pixels a side

FILES = {  # names and shapes, which the sets made in MNIST's image share
    "train-images-idx3-ubyte": (TRAIN, SIZE, SIZE),
    "train-labels-idx1-ubyte": (TRAIN,),
    "t10k-images-idx3-ubyte": (TEST, SIZE, SIZE),
    "t10k-labels-idx1-ubyte": (TEST,),
}


def like_mnist(title: str, packed: Sequence[str], unpacked: Sequence[str | None] = (None,) * 4) -> IdxSet:
    """Return a set of FILES with the md5 of each .gz file, and of each unpacked file where one is known."""
    files = [
        IdxFile(name, md5_gz=md5_gz, md5=md5, shape=shape)
        for (name, shape), md5_gz, md5 in zip(FILES.items(), packed, unpacked, strict=True)
    ]
    return IdxSet(title, (files[0], files[1], files[2], files[3]))


# The md5 of the .gz files are the published ones, which torchvision checks as well.
MNIST = like_mnist(
    "MNIST",
    packed=(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    unpacked=(
        "6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637",
    ),
)  # fmt: skip
FASHION_MNIST = like_mnist(
    "Fashion-MNIST",
    packed=(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    unpacked=(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)  # fmt: skip


class Mnist(ImageDataModule):
    """60,000 + 10,000 handwritten digits, 1 x 28 x 28, labels 0 .. 9 (LeCun, Bottou, Bengio and Haffner, 1998).

    `root` None reads the files that ship with the project; otherwise root/MNIST/raw, torchvision's layout, or root.

    Raises:
        DataError: in `setup()`, for a file that is missing or is not the published one.
    """

    def load(self) -> tuple[Split, Split]:
        """Read the four IDX files."""
        if self.root is None:
            return MNIST.load([Path(str(resources.files("datamodules") / "assets"))])
        folder = root_folder(self.root)
        return MNIST.load([folder / "MNIST" / "raw", folder])


class FashionMnist(PublishedIdx):
    """60,000 + 10,000 articles of clothing, 1 x 28 x 28, labels 0 .. 9 (Xiao, Rasul and Vollgraf, 2017).

    Read from root/FashionMNIST/raw, torchvision's layout, or from root; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: as `PublishedIdx` does.
    """

    source = "FashionMNIST"
    folder = "FashionMNIST/raw"
    idx_set = FASHION_MNIST
