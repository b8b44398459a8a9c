"""A function of the user's is a metric: its figure is what it returns, and what it must not return is one sentence."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.evaluation.evaluate import evaluate
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.reference import reference
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.own import OwnMetric, metric, own_metric
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet


def mean_gap(sets: FeatureSets) -> float:
    """Distance of the mean features.

    Of all samples.
    """
    return float((sets.generated.double().mean(0) - sets.reference_moments.mean).norm())


@pytest.fixture
def against(extractor: Extractor, images: Callable[..., torch.Tensor]) -> ReferenceSet:
    return ReferenceSet(extractor, reference(images(200, seed=1), extractor))


def noise(n: int, generator: torch.Generator) -> torch.Tensor:
    return 2 * torch.rand(n, 1, 28, 28, generator=generator) - 1


def returning(value: Any) -> OwnMetric:
    return own_metric("mine", lambda sets: value, "v")


def test_what_tables_say_is_what_the_decorator_was_told_or_what_the_function_says_itself() -> None:
    plain = own_metric("mean_gap", mean_gap, "v")
    assert plain.column() == {
        "heading": "", "form": "", "direction": "neither", "source": "Distance of the mean features",
    }  # fmt: skip
    told = metric("lower", heading="gap", form=".1f", source="here", applies=lambda sets: False)(mean_gap)
    assert told is mean_gap
    stated = own_metric("mean_gap", told, "v")
    assert stated.column() == {"heading": "gap", "form": ".1f", "direction": "lower", "source": "here"}
    assert not stated.applies(None)  # type: ignore[arg-type]
    del mean_gap.__dict__["generative_trilemma_metric"]


@pytest.mark.parametrize("changes", [{"direction": "best"}, {"form": ".3q"}, {"form": 3}])
def test_facts_that_no_table_can_show_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"metric: {next(iter(changes))}="):
        metric(**changes)


def test_figures_estimates_and_none_are_taken_and_anything_else_is_refused() -> None:
    for value in (3, 3.0, torch.tensor(3.0), torch.tensor([3.0]), Estimate(3.0)):
        estimate = returning(value).compute(None)  # type: ignore[arg-type]
        assert estimate is not None
        assert (estimate.value, estimate.interval) == (3.0, None)
    kept = Estimate(1.0, ends=(0.0, 2.0))
    assert returning(kept).compute(None) is kept  # type: ignore[arg-type]
    assert returning(None).compute(None) is None  # type: ignore[arg-type]
    refused = [
        ("three", "returns str, not a float"), (math.nan, "returns nan; return None"),
        (torch.zeros(2), "returns Tensor, not a float"), (Estimate(math.inf), "returns inf"),
    ]  # fmt: skip
    for wrong, said in refused:
        with pytest.raises(ValueError, match=said):
            returning(wrong).compute(None)  # type: ignore[arg-type]


def test_it_is_computed_beside_the_suites_and_changes_none_of_them(
    against: ReferenceSet, make_protocol: Callable[..., Protocol]
) -> None:
    protocol = make_protocol(against)
    alone = evaluate(noise, against, protocol)
    seen: list[FeatureSets] = []
    never = dataclasses.replace(own_metric("never", mean_gap, "w"), applies=lambda sets: bool(seen.append(sets)))
    together = evaluate(noise, against, protocol, own=[own_metric("mean_gap", mean_gap, "v"), never])
    assert together.metrics == alone.metrics | {"mean_gap": mean_gap(seen[0])}
    assert together.versions == alone.versions | {"mean_gap": "v", "never": "w"}, "also of one without a figure"
    assert together.columns.keys() == {"mean_gap", "never"}
    assert (together.flags, together.failed) == (alone.flags, {})


def test_one_that_fails_leaves_the_figures_of_the_others_and_is_computed_again(
    against: ReferenceSet, make_protocol: Callable[..., Protocol]
) -> None:
    def broken(sets: FeatureSets) -> float:
        raise KeyError("x")

    def unclear(sets: FeatureSets) -> bool:
        return 1 / 0 > 0

    own = [
        own_metric("broken", broken, "v", lambda file: file.name == "test_own.py"),
        dataclasses.replace(returning(""), name="odd"),
        own_metric("unclear", metric(applies=unclear)(lambda sets: 1.0), "v"),
    ]  # fmt: skip
    found = evaluate(noise, against, make_protocol(against), own=own, metrics=["recall", "broken", "odd", "unclear"])
    assert found.metrics.keys() == found.versions.keys() == {"recall"}
    line = broken.__code__.co_firstlineno + 1
    assert found.failed["broken"].startswith("KeyError: 'x' (")
    assert found.failed["broken"].endswith(f"test_own.py, line {line})")
    assert found.failed["unclear"].startswith("ZeroDivisionError: division by zero (")
    assert f"no figure of broken: {found.failed['broken']}" in found.flags
    assert any(flag.startswith("no figure of odd: ValueError: returns str, not a float") for flag in found.flags)


def test_an_error_of_the_suites_own_passes_through(
    against: ReferenceSet, make_protocol: Callable[..., Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sets: FeatureSets) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(METRICS, "recall", dataclasses.replace(METRICS["recall"], function=broken))
    with pytest.raises(ZeroDivisionError):
        evaluate(noise, against, make_protocol(against), metrics=["recall"])
