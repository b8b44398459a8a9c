"""Held-out images that are exact copies of training images."""

import hashlib
from collections.abc import Sequence

from torch import Tensor


def copies(images: Tensor, names: Sequence[object], trained: int) -> list[str]:
    """Return a sentence on the held-out images that equal a training image in every pixel, if there are any.

    images: uint8 N x C x H x W, of `names`; the first `trained` are the training images.
    """
    digests = [hashlib.sha256(image.numpy().data).digest() for image in images]
    first = {digests[i]: names[i] for i in reversed(range(trained))}
    pairs = [(names[i], first[digests[i]]) for i in range(trained, len(names)) if digests[i] in first]
    if not pairs:
        return []
    return [
        f"{len(pairs):,} of {len(names) - trained:,} held-out images are exact copies of training images, the first "
        f"{pairs[0][0]} of {pairs[0][1]}; remove one of each pair to judge by images that were not trained on"
    ]
