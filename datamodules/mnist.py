"""MNIST, which ships with the project, and Fashion-MNIST, which has the same format."""

from importlib import resources
from pathlib import Path

from datamodules.base import ImageDataModule, Split
from datamodules.files import root_folder
from datamodules.idx import IdxFile, IdxSet, PublishedIdx

TRAIN, TEST = 60_000, 10_000  # images
SIZE = 28  # pixels a side

# The md5 of the .gz files are the published ones, which torchvision checks as well; those of the unpacked files follow.
MNIST = IdxSet(
    "MNIST",
    (
        IdxFile(
            "train-images-idx3-ubyte",
            md5_gz="f68b3c2dcbeaaa9fbdd348bbdeb94873",
            md5="6bbc9ace898e44ae57da46a324031adb",
            shape=(TRAIN, SIZE, SIZE),
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            md5_gz="d53e105ee54ea40749a09fcbcd1e9432",
            md5="a25bea736e30d166cdddb491f175f624",
            shape=(TRAIN,),
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            md5_gz="9fb629c4189551a2d022fa330f9573f3",
            md5="2646ac647ad5339dbf082846283269ea",
            shape=(TEST, SIZE, SIZE),
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            md5_gz="ec29112dd5afa0611ce80d1b7f02629c",
            md5="27ae3e4e09519cfbb04c329615203637",
            shape=(TEST,),
        ),
    ),
)
FASHION_MNIST = IdxSet(
    "Fashion-MNIST",
    (
        IdxFile(
            "train-images-idx3-ubyte",
            md5_gz="8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            md5="f4a8712d7a061bf5bd6d2ca38dc4d50a",
            shape=(TRAIN, SIZE, SIZE),
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            md5_gz="25c81989df183df01b3e8a0aad5dffbe",
            md5="9018921c3c673c538a1fc5bad174d6f9",
            shape=(TRAIN,),
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            md5_gz="bef4ecab320f06d8554ea6380940ec79",
            md5="8181f5470baa50b63fa0f6fddb340f0a",
            shape=(TEST, SIZE, SIZE),
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            md5_gz="bb300cfdad3c16e7a12a480ee83cd310",
            md5="15d484375f8d13e6eb1aabb0c3f46965",
            shape=(TEST,),
        ),
    ),
)


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
