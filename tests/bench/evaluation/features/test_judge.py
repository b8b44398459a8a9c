"""A judge is another network than the evaluator's, taught by half of the images, and the same on every call."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation.features import judge as module
from bench.evaluation.features.classifier import Classifier
from bench.evaluation.features.judge import JudgeNetwork, channel_judge, half, taught_network, trained_judge


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASSES", 6400)


def shades(labels: Tensor, channels: int = 1) -> Tensor:
    """Images whose brightness is their label's, with noise: uint8 N x C x 28 x 28."""
    noise = torch.randint(0, 20, (len(labels), channels, 28, 28), generator=torch.Generator().manual_seed(1))
    return (100 * labels.view(len(labels), -1, 1, 1) + noise).to(torch.uint8)


def test_half_of_the_images_teach_and_always_the_same_ones() -> None:
    images = torch.arange(1001 * 4).view(1001, 1, 2, 2).remainder(251).to(torch.uint8)
    distinct = images.flatten(1).unique(dim=0)
    chosen = half(distinct.view(-1, 1, 2, 2))
    assert int(chosen.sum()) == len(distinct) // 2
    assert torch.equal(chosen, half(distinct.view(-1, 1, 2, 2)))


def test_equal_images_are_on_one_side() -> None:
    images = torch.randint(256, (50, 1, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    drawn = torch.randint(50, (400,), generator=torch.Generator().manual_seed(1))
    chosen = half(images[drawn])
    sides = [chosen[drawn == k].unique() for k in drawn.unique()]
    assert all(len(side) == 1 for side in sides)
    assert 0.3 < torch.cat(sides).float().mean() < 0.7


def test_the_architecture_is_not_the_evaluators() -> None:
    kinds = [{type(layer) for layer in network.modules()} for network in (JudgeNetwork(1, 10), Classifier(1, 10))]
    assert nn.BatchNorm2d in kinds[1]
    assert nn.BatchNorm2d not in kinds[0]
    sizes = [
        {layer.kernel_size for layer in network.modules() if isinstance(layer, nn.Conv2d)}
        for network in (JudgeNetwork(1, 10), Classifier(1, 10))
    ]
    assert sizes[0].isdisjoint(sizes[1])


def test_a_judge_sees_what_images_show_and_says_how_often(tmp_path: Path) -> None:
    labels = torch.arange(300) % 3
    first = trained_judge(shades(labels), labels, 3, tmp_path)
    assert "right on 100.00% of held-out images" in first.name
    assert torch.equal(first.classify(shades(labels)), labels)
    assert torch.equal(first.learned, half(shades(labels)))


def test_a_judge_is_taught_once_and_equal_images_teach_an_equal_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.arange(300) % 3
    state = torch.get_rng_state()
    weights = [taught_network(shades(labels), labels, 3, 640).state_dict() for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    first = trained_judge(shades(labels), labels, 3, tmp_path)
    monkeypatch.setattr(module, "taught_network", None)
    assert trained_judge(shades(labels), labels, 3, tmp_path).name == first.name


def test_a_judge_of_channels_reads_a_digit_from_each() -> None:
    digits = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(2)).repeat(30, 1)
    labels = digits @ torch.tensor([4, 2, 1])
    judge = channel_judge(shades(digits, 3), labels, 2)
    assert torch.equal(judge.classify(shades(digits, 3)), labels)
    assert judge.learned.shape == labels.shape
    assert "channels" in judge.name
