"""The random network has the stated weights on every platform, takes images of any size, and sees what it should."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import random_network as module
from bench.evaluation.features.random_network import DIGEST, RandomNetwork, random_network
from bench.evaluation.metrics.registry import METRICS


def test_weights_are_those_of_the_version() -> None:
    """Who changes the weights changes the digest, and with it the version: then change all three here."""
    metric = METRICS["fd_random"]
    assert storage.digest(RandomNetwork().state_dict()) == DIGEST
    assert (metric.version, DIGEST[:8]) == (1, "c1a3606a")
    assert DIGEST[:8] in metric.source


def test_the_first_weights_are_numpys_uniform_numbers() -> None:
    """1.0976270 = 2 * 0.5488135, the first number of seed 0."""
    assert float(RandomNetwork().weights[0].flatten()[0]) == pytest.approx((2 * 0.5488135039 - 1) * (6 / 27) ** 0.5)
    assert sum(weight.numel() for weight in RandomNetwork().weights) == 5976


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEED", 1)
    with pytest.raises(EvaluationError, match=f"numpy drew weights of digest .* in place of {DIGEST[:12]}"):
        random_network()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (3, 32, 48), (1, 5, 3), (3, 96, 96)])
def test_images_of_any_size_have_128_features(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (7, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    features = random_network()(images)
    assert features.shape == (7, 128)
    assert len(features.unique(dim=0)) == 7


def test_grey_images_are_three_equal_channels_and_chunks_change_nothing(images: Callable[..., Tensor]) -> None:
    x, network = images(300, seed=0), random_network()
    assert torch.equal(network(x), network(x.expand(-1, 3, -1, -1)))
    torch.testing.assert_close(network(x)[250:], network(x[250:]))


def test_features_equal_the_formula_in_float64(images: Callable[..., Tensor]) -> None:
    x = images(5, seed=0)
    h = x.double().expand(-1, 3, -1, -1) / 127.5 - 1
    for weight, stride in zip(RandomNetwork().weights, (1, 2, 2), strict=True):
        h = torch.nn.functional.conv2d(h, weight.double(), stride=stride, padding=1).relu()
    quarters = [h[:, :, rows, columns].mean((2, 3)) for rows in (slice(0, 4), slice(3, 7))
                for columns in (slice(0, 4), slice(3, 7))]  # fmt: skip
    expected = torch.stack(quarters, 2).flatten(1)
    torch.testing.assert_close(random_network()(x).double(), expected, rtol=1e-4, atol=1e-5)
