"""EMNIST's balanced split: handwritten digits and letters in MNIST's format, which stores them transposed."""

from datamodules.base import Split
from datamodules.idx import IdxFile, IdxSet, PublishedIdx
from datamodules.mnist import SIZE

TRAIN, TEST = 112_800, 18_800  # images
PREFIX = "emnist-balanced"

# Published is the md5 of the archive alone, which torchvision checks when it downloads it.
EMNIST = IdxSet(
    "EMNIST",
    (
        IdxFile(f"{PREFIX}-train-images-idx3-ubyte", None, None, (TRAIN, SIZE, SIZE)),
        IdxFile(f"{PREFIX}-train-labels-idx1-ubyte", None, None, (TRAIN,)),
        IdxFile(f"{PREFIX}-test-images-idx3-ubyte", None, None, (TEST, SIZE, SIZE)),
        IdxFile(f"{PREFIX}-test-labels-idx1-ubyte", None, None, (TEST,)),
    ),
)


class Emnist(PublishedIdx):
    """112,800 + 18,800 handwritten digits and letters, 1 x 28 x 28, labels 0 .. 46 (Cohen et al., 2017).

    The balanced split (arXiv:1702.05373): ten digits, 26 capitals, and the eleven small letters that differ from
    theirs. The files hold each image transposed; here it is upright, unlike torchvision's.

    Read from root/EMNIST/raw, torchvision's layout, or from root; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: as `PublishedIdx` does.
    """

    source = "EMNIST"
    downloads = ({"split": "balanced"},)
    folder = "EMNIST/raw"
    idx_set = EMNIST

    def load(self) -> tuple[Split, Split]:
        """Read the four IDX files and turn the images upright."""
        train, test = super().load()
        return _upright(train), _upright(test)


def _upright(split: Split) -> Split:
    return Split(split.images.transpose(2, 3).contiguous(), split.labels)
