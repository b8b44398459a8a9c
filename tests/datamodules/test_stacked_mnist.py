"""Stacked MNIST is made of MNIST's images as its labels say, one digit independent of the next, the same everywhere."""

from pathlib import Path

import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from datamodules.base import DataError
from datamodules.mnist import Mnist
from datamodules.stacked_mnist import StackedMnist


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    data = Mnist()
    data.setup()
    return data


@pytest.fixture(scope="module")
def stacked() -> StackedMnist:
    data = StackedMnist()
    data.prepare_data()
    data.setup()
    return data


def digits(labels: Tensor) -> Tensor:
    """The digits of channels 0, 1, 2: N -> N x 3."""
    return torch.stack([labels // 100, labels // 10 % 10, labels % 10], dim=1)


def known(images: Tensor, labels: Tensor) -> set[tuple[int, bytes]]:
    """Every image with its digit: N x 28 x 28 and N."""
    return {(label, image.tobytes()) for image, label in zip(images.numpy(), labels.tolist(), strict=True)}


def test_the_draw_never_changes_and_does_not_depend_on_the_seed(stacked: StackedMnist) -> None:
    assert stacked.digest("train") == "12b8229812e2feeeafd787801a45722ed948d6039be05a008da2658ae9c02e0e"
    assert stacked.digest("test") == "c2881fc5c933b5cac96897622be2c05d0b414e89037f3521bdb8ed0cd0c8e5d8"
    other = StackedMnist(seed=7)
    other.setup()
    assert torch.equal(other.train_images, stacked.train_images)
    assert torch.equal(other.test_labels, stacked.test_labels)


def test_every_channel_is_one_of_mnists_images_with_the_labels_digit(mnist: Mnist, stacked: StackedMnist) -> None:
    train, test = known(mnist.train_images, mnist.train_labels), known(mnist.test_images, mnist.test_labels)
    assert known(stacked.train_images.flatten(0, 1), digits(stacked.train_labels).flatten()) <= train
    assert known(stacked.test_images.flatten(0, 1), digits(stacked.test_labels).flatten()) <= test
    # No image is in both of MNIST's splits, so none is held out here that was trained on, in any channel.
    assert {image for _, image in train}.isdisjoint({image for _, image in test})


def test_no_triple_is_drawn_twice(stacked: StackedMnist) -> None:
    for images in (stacked.train_images, stacked.test_images):
        assert len({image.tobytes() for image in images.numpy()}) == len(images)


def test_all_thousand_modes_occur_as_often_as_independent_digits_of_mnist_would(
    mnist: Mnist, stacked: StackedMnist
) -> None:
    for labels, source in ((stacked.train_labels, mnist.train_labels), (stacked.test_labels, mnist.test_labels)):
        found = labels.bincount(minlength=1000).double()
        share = source.bincount().double() / len(source)
        expected = len(labels) * torch.einsum("a,b,c->abc", share, share, share).flatten()
        assert len(found) == 1000
        assert found.min() > 0
        statistic = ((found - expected).square() / expected).sum().item()
        assert 0.001 < chi2.sf(statistic, 999) < 0.999
        # MNIST's digits are not quite equally frequent, and so are those of every channel.
        for channel in digits(labels).unbind(1):
            assert (channel.bincount() / len(labels) - 0.1).abs().max() < 0.02


def test_its_root_is_mnists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^MNIST needs .*{tmp_path}.* none of them is there.$"):
        StackedMnist(root=str(tmp_path)).setup()
