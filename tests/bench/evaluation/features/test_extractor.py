from collections.abc import Callable, Iterator
from functools import reduce
from operator import add, attrgetter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.classifier import Classifier
from bench.evaluation.features.extractor import ROUNDING_BACKENDS, Extractor, Moments, full_float32


def test_moments_are_numpys_even_far_from_zero() -> None:
    x = np.random.default_rng(0).normal(size=(500, 7)) @ np.diag(np.arange(1.0, 8)) + 1e6
    moments = Moments.from_features(torch.from_numpy(x))
    np.testing.assert_allclose(moments.mean.numpy(), x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance.numpy(), np.cov(x, rowvar=False), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sizes", [(500,), (1, 499), (250, 250), (3, 97, 150, 250)])
def test_merged_moments_equal_those_of_one_pass(sizes: tuple[int, ...]) -> None:
    x = torch.randn(500, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1e6
    whole = Moments.from_features(x)
    merged = reduce(add, (Moments.from_features(part) for part in x.split(list(sizes))))
    assert merged.count == 500
    torch.testing.assert_close(merged.mean, whole.mean, rtol=1e-14, atol=0)
    torch.testing.assert_close(merged.covariance, whole.covariance, rtol=1e-9, atol=1e-9)


def test_merging_commutes() -> None:
    a, b = (Moments.from_features(torch.randn(n, 5)) for n in (10, 300))
    torch.testing.assert_close((a + b).covariance, (b + a).covariance, rtol=1e-12, atol=1e-14)


def test_features_of_an_image_do_not_depend_on_its_neighbours(
    extractor: Extractor, images: Callable[..., Tensor]
) -> None:
    x = images(30, seed=0)
    together, alone = extractor(x), torch.cat([extractor(one) for one in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert (together.std(0) > 0).float().mean() > 0.5  # they do depend on the image


def test_features_and_logits_come_of_one_pass(
    extractor: Extractor, random_classifier: Classifier, images: Callable[..., Tensor]
) -> None:
    x, passes = images(300, seed=0), 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    with extractor.module.classifier.body[0].register_forward_hook(count):  # type: ignore[union-attr, index]
        features, logits = extractor.outputs(x)
    assert passes == 2  # chunks of 250
    assert logits is not None
    torch.testing.assert_close(logits, random_classifier.head(features))
    assert torch.equal(features, extractor(x))
    features += 1  # not a tensor of inference mode


def test_progress_counts_images_to_the_end(extractor: Extractor, images: Callable[..., Tensor]) -> None:
    seen: list[tuple[str, int, int]] = []
    extractor(images(700, seed=0), lambda *args: seen.append(args))
    assert seen == [("features", done, 700) for done in (250, 500, 700)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(2, 1, 28, 28), "type torch.float32"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8), r"shape \(1, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28, dtype=torch.uint8), "N > 0"),
        (torch.zeros(2, 3, 28, 28, dtype=torch.uint8), r"extractor=mnist-cnn takes images of 1 channel.* have 3"),
    ],
)
def test_other_inputs_are_refused(extractor: Extractor, wrong: Tensor, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        extractor(wrong)


def test_features_that_are_not_finite_are_refused(images: Callable[..., Tensor]) -> None:
    class Broken(nn.Linear):
        def forward(self, x: Tensor) -> tuple[Tensor]:  # type: ignore[override]
            return (torch.full((len(x), 2), torch.nan),)

    with pytest.raises(EvaluationError, match="extractor=broken returned features that are NaN or infinite"):
        Extractor("broken", "0", 2, (1,), 10, Broken(1, 1))(images(3, seed=0))


@pytest.fixture
def restored() -> Iterator[None]:
    """Leave the process's float32 settings as they were."""
    backends = [attrgetter(name)(torch.backends) for name in ROUNDING_BACKENDS]
    before = [backend.fp32_precision for backend in backends]
    yield
    for backend, precision in zip(backends, before, strict=True):
        backend.fp32_precision = precision


def test_a_trainers_fast_products_do_not_reach_the_features(
    extractor: Extractor, images: Callable[..., Tensor], restored: None
) -> None:
    x = images(30, seed=0)
    expected = extractor(x)
    cpu: Any = torch.backends.mkldnn
    cpu.matmul.fp32_precision = cpu.conv.fp32_precision = "bf16"
    assert torch.equal(extractor(x), expected)
    assert cpu.conv.fp32_precision == "bf16"


def test_a_trainers_fast_products_are_allowed_again_afterwards(restored: None) -> None:
    torch.set_float32_matmul_precision("medium")
    with full_float32():
        assert [attrgetter(name)(torch.backends).fp32_precision for name in ROUNDING_BACKENDS] == ["ieee"] * 4
    assert torch.get_float32_matmul_precision() == "medium"
    torch.set_float32_matmul_precision("highest")
