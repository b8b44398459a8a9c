"""The number of reference subsets follows from the sizes, and manifolds are computed once."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics import feature_sets as module
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.prdc import Manifolds, manifolds
from bench.evaluation.protocol import Protocol


def sets(n: int, reference: int) -> FeatureSets:
    y, x = (torch.randn(size, 4, generator=torch.Generator().manual_seed(size)) for size in (n, reference))
    protocol = Protocol(data="-", extractor="-", extractor_digest="0", reference_digest="0", samples=n, chunk=1)
    return FeatureSets(y, x, Moments.from_features(x), protocol, groups(n, 0))


@pytest.mark.parametrize(("n", "reference", "count"), [(20, 20, 1), (20, 59, 2), (20, 60, 3), (20, 10, 1)])
def test_a_subset_has_as_many_images_as_there_are_samples(n: int, reference: int, count: int) -> None:
    assert sets(n, reference).subsets == count


def test_manifolds_are_computed_once_with_the_protocols_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def counted(*sides: Tensor, **options: Any) -> Manifolds:
        calls.append(options)
        return manifolds(*sides, **options)

    monkeypatch.setattr(module, "manifolds", counted)
    features = sets(40, 80)
    assert features.manifolds is features.manifolds
    protocol = features.protocol
    assert calls == [{
        "prc_neighbours": protocol.prc_neighbours, "dc_neighbours": protocol.dc_neighbours, "subsets": 2, "seed": 0,
        "groups": features.groups,
    }]  # fmt: skip
