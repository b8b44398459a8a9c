"""Kuzushiji-MNIST (arXiv:1812.01718), in MNIST's format and size."""

from datamodules.idx import PublishedIdx
from datamodules.mnist import like_mnist

# The md5 that torchvision checks as well; of the unpacked files none is published.
KMNIST = like_mnist(
    "Kuzushiji-MNIST",
    packed=(
        "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)  # fmt: skip


class Kmnist(PublishedIdx):
    """60,000 + 10,000 cursive Japanese characters, 1 x 28 x 28, labels 0 .. 9 (Clanuwat et al., 2018).

    Read from root/KMNIST/raw, torchvision's layout, or from root; `root` None is ~/.cache/generative-trilemma.

    Raises:
        DataError: as `PublishedIdx` does.
    """

    source = "KMNIST"
    folder = "KMNIST/raw"
    idx_set = KMNIST
