"""The four metrics are the four figures of one computation."""

from types import SimpleNamespace
from typing import Any, cast

from bench.evaluation.metrics import manifold
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.registry import METRICS

NAMES = ("precision", "recall", "density", "coverage")


def test_each_metric_is_the_figure_of_its_name() -> None:
    sets = SimpleNamespace(manifolds=SimpleNamespace(**{name: name for name in NAMES}))
    assert [getattr(manifold, name)(cast(FeatureSets, sets)) for name in NAMES] == list(NAMES)
    assert [cast(Any, METRICS[name].function) for name in NAMES] == [f"manifold:{name}" for name in NAMES]
