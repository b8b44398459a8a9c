"""Copies across the split are found by all pixels."""

import torch

from datamodules.duplicates import copies


def test_each_copy_is_counted_once_and_named_beside_its_first_original() -> None:
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).repeat(1, 3, 2, 2)
    assert copies(images, "abcdef", 4) == []
    images[4], images[5], images[3] = images[1], images[1], images[1]
    assert copies(images, "abcdef", 4)[0].startswith(
        "2 of 2 held-out images are exact copies of training images, the first e of b;"
    )
    images[4, 2, 1, 1] ^= 1
    assert copies(images, "abcdef", 4)[0].startswith("1 of 2 held-out images are exact copies")
