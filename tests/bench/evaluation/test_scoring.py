"""Chunks are measured by themselves and joined in their order; the nearest pairs of all are kept."""

from collections import defaultdict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.reference import held_out, reference
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import (
    PAIRS,
    Closest,
    ReferenceSet,
    SecondReference,
    feature_sets,
    fits,
    flags,
    join_pairs,
    measure_chunk,
    score,
    select_metrics,
)


@pytest.fixture
def against(extractor: Extractor, images: Callable[..., Tensor]) -> ReferenceSet:
    split = reference(images(100, seed=1), extractor)
    beside = held_out(images(80, seed=3), split, extractor, samples=40, seed=0, cells_wanted=4)
    network = random_network()
    second = SecondReference(network, reference(images(100, seed=1), network).moments)
    return ReferenceSet(extractor, split, beside, random=second)


def test_the_figures_do_not_depend_on_which_chunk_was_measured_first(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: Callable[..., Protocol]
) -> None:
    protocol, seconds = make_protocol(against), defaultdict[str, float](float)
    chunks = images(60, seed=2).split(25)
    parts = {k: measure_chunk(chunk, 25 * k, against, seconds) for k, chunk in enumerate(chunks)}
    first = score(parts, against, protocol, seconds)
    again = score(dict(reversed(parts.items())), against, protocol, seconds)
    assert first.metrics == again.metrics
    assert {"fd_random", "fld", "fld_gap", "clipped_density", "clipped_coverage"} <= first.metrics.keys()
    assert torch.equal(first.images, images(60, seed=2))
    assert first.closest is not None
    assert len(first.closest.distances) == PAIRS


def test_features_are_joined_in_the_order_of_the_chunks(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: Callable[..., Protocol]
) -> None:
    x, seconds = images(60, seed=2), defaultdict[str, float](float)
    parts = [measure_chunk(chunk, 0, against, seconds) for chunk in x.split(25)]
    joined = feature_sets(parts, against, make_protocol(against))
    torch.testing.assert_close(joined.generated, against.extractor(x), rtol=1e-4, atol=1e-5)
    assert joined.nearest is not None
    assert len(joined.nearest.generated) == 60
    assert joined.random is not None
    torch.testing.assert_close(joined.random.generated, random_network()(x), rtol=1e-4, atol=1e-5)
    assert joined.held_out is against.held_out.features  # type: ignore[union-attr]


def test_images_of_another_shape_are_refused(against: ReferenceSet) -> None:
    with pytest.raises(EvaluationError, match=r"samples are \(3, 28, 28\), but the reference's images \(1, 28, 28\)"):
        measure_chunk(torch.zeros(2, 3, 28, 28, dtype=torch.uint8), 0, against, defaultdict(float))


def test_metrics_are_selected_in_the_registrys_order() -> None:
    assert [metric.name for metric in select_metrics(["recall", "fid"])] == ["fid", "recall"]
    assert select_metrics(None) == list(METRICS.values())


def test_classes_apply_to_the_data_that_the_classifier_was_trained_on(
    against: ReferenceSet, make_protocol: Callable[..., Protocol]
) -> None:
    assert fits(against, make_protocol(against))
    assert not fits(against, make_protocol(against, data="fashion_mnist"))


def test_the_nearest_of_all_pairs_are_kept_in_order() -> None:
    distances = torch.randperm(3 * PAIRS, generator=torch.Generator().manual_seed(0)).float()
    pairs = [Closest(part[:, None, None, None], part.long(), part) for part in distances.split(PAIRS)]
    found = join_pairs(pairs)
    assert found.distances.tolist() == list(range(PAIRS))
    assert found.training.tolist() == list(range(PAIRS))


def test_equal_samples_and_too_few_samples_are_flagged(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: Callable[..., Protocol]
) -> None:
    part = measure_chunk(images(60, seed=2), 0, against, defaultdict(float))
    said = flags(feature_sets([part], against, make_protocol(against)), distinct=59)
    assert said[:2] == (
        "only 59 of 60 samples are distinct",
        "60 samples are too few for the covariance of 128 features: FID is far too high",
    )
