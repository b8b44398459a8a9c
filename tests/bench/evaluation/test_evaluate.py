"""Whole evaluations against torch-fidelity's own, and what is refused or flagged."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_fidelity
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate, evaluate_images
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.reference import held_out, reference
from bench.evaluation.metrics.registry import METRICS, expected
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import generate
from bench.evaluation.scoring import ReferenceSet
from bench.speed.evaluation import Images

MakeProtocol = Callable[..., Protocol]


def noise(n: int, generator: torch.Generator) -> Tensor:
    """A model: squares of uniform noise."""
    return torch.rand(n, 1, 28, 28, generator=generator) ** 2 * 2 - 1


def constant(n: int, generator: torch.Generator) -> Tensor:
    return torch.full((n, 1, 28, 28), 0.25)


@pytest.fixture
def against(extractor: Extractor, images: Callable[..., Tensor]) -> ReferenceSet:
    split = reference(images(200, seed=1), extractor)
    beside = held_out(images(400, seed=3), split, extractor, samples=60, seed=0, cells_wanted=10)
    return ReferenceSet(extractor, split, beside)


def test_the_figures_are_those_of_torch_fidelity(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(against, samples=200, seed=2020, kid_subset_size=100, kid_subsets=20)
    ours = evaluate(noise, against, protocol).metrics
    generated = torch.cat([x for _, x in generate(noise, 200, chunk=protocol.chunk, seed=2020)])
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(generated),
        input2=Images(images(200, seed=1)),
        feature_extractor="mnist-cnn",
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=100,
        kid_subsets=20,
        rng_seed=2020,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-5)
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-9)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-9)


def test_an_evaluation_repeats_exactly_and_says_what_it_cost(
    against: ReferenceSet, make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(against, samples=150)
    stages: list[str] = []
    first = evaluate(noise, against, protocol, progress=lambda stage, *_: stages.append(stage))
    again = evaluate(noise, against, protocol)
    assert first.metrics == again.metrics
    assert first.flags == ()
    assert {"sampling", "features", "nearest"} < set(first.seconds)
    assert set(first.seconds) - {"sampling", "features", "nearest"} >= set(first.metrics)
    assert "fid_infinity" not in first.metrics  # 37 images do not fill 128 dimensions
    assert set(first.intervals) <= set(first.metrics)
    assert sorted(first.fid_by_count) == [37, 75, 150]
    assert first.fid_by_count[150] == pytest.approx(first.metrics["fid"], rel=1e-9)
    assert len(first.images) == 64
    assert torch.equal(first.images[:50], torch.cat([x for _, x in generate(noise, 50, chunk=25, seed=0)]))
    assert set(stages) == {"sampling", "metrics"}


def test_a_selection_gives_the_figures_that_all_metrics_give_and_says_what_it_computed(
    against: ReferenceSet, make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(against)
    whole = evaluate(noise, against, protocol)
    assert whole.versions == {name: METRICS[name].version for name in expected(given=False)}
    for chosen in (["recall", "modes"], ["fid"]):
        part = evaluate(noise, against, protocol, metrics=chosen)
        assert set(part.versions) == set(chosen), "modes are computed, and have no figure here"
        assert part.metrics == {name: value for name, value in whole.metrics.items() if name in chosen}
        assert part.intervals == {name: ends for name, ends in whole.intervals.items() if name in chosen}
        assert part.fid_by_count == (whole.fid_by_count if "fid" in chosen else {})
        assert part.flags == whole.flags


def test_an_unknown_metric_is_refused_before_any_sample_is_drawn(
    against: ReferenceSet, make_protocol: MakeProtocol
) -> None:
    def draw(n: int, generator: torch.Generator) -> Tensor:
        raise AssertionError("drawn")

    with pytest.raises(EvaluationError, match=r"metric=recal is unknown \(did you mean recall\?\)"):
        evaluate(draw, against, make_protocol(against), metrics=["recal"])


def test_the_reference_evaluated_against_itself_is_perfect(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(against, samples=200, chunk=500, weights="none")
    found = evaluate_images(images(200, seed=1), against, protocol).metrics
    assert found["fid"] == pytest.approx(0, abs=1e-6)
    assert [found[name] for name in ("precision", "recall", "density", "coverage")] == [1, 1, 1, 1]


def test_held_out_images_are_the_floor(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(against, samples=150, weights="none")
    real = evaluate_images(images(180, seed=2), against, protocol).metrics
    fake = evaluate(noise, against, protocol).metrics
    for name in ("fid", "kid", "precision", "recall", "density", "coverage"):
        better = real[name] < fake[name] if METRICS[name].direction == "lower" else real[name] > fake[name]
        assert better, name


def test_constant_samples_are_flagged_and_score_badly(against: ReferenceSet, make_protocol: MakeProtocol) -> None:
    found = evaluate(constant, against, make_protocol(against))
    assert found.flags == (
        "only 1 of 60 samples are distinct",
        "60 samples are too few for the covariance of 128 features: FID is far too high",
    )
    assert all(math.isfinite(value) for value in found.metrics.values())
    assert found.metrics["recall"] == 0
    assert found.metrics["coverage"] < 0.2


@pytest.mark.parametrize(
    ("sample", "changes", "message"),
    [
        (lambda n, g: noise(n, g) / 0, {}, "of 25 samples hold NaN or infinity"),
        (
            lambda n, g: torch.zeros(n, 1, 32, 32),
            {},
            r"samples are \(1, 32, 32\), but the reference's images \(1,",
        ),
        (lambda n, g: torch.zeros(n, 3, 28, 28), {}, r"samples are \(3, 28, 28\)"),
        (noise, {"samples": 300, "kid_subset_size": 201}, "the reference's 200 images are too few"),
        (noise, {"extractor": "inception-v3"}, "states extractor=inception-v3, but here it is mnist-cnn"),
        (noise, {"extractor_digest": "0"}, "the protocol states extractor_digest=0"),
        (noise, {"reference_digest": "0"}, "the protocol states reference_digest=0"),
        (noise, {"held_out_digest": ""}, "the protocol states held_out_digest=none, but here it is"),
        (noise, {"modes": "ten"}, "the protocol states modes=ten, but here it is none"),
        (noise, {"quantisation": "none"}, "the protocol states quantisation=none, but here it is uint8"),
    ],
)
def test_nothing_wrong_becomes_a_number(
    against: ReferenceSet, make_protocol: MakeProtocol, sample: Any, changes: Any, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluate(sample, against, make_protocol(against, **changes))


def test_more_samples_than_reference_images_are_judged(against: ReferenceSet, make_protocol: MakeProtocol) -> None:
    found = evaluate(noise, against, make_protocol(against, samples=300, kid_subset_size=200))
    assert sorted(found.fid_by_count) == [75, 150, 300]
    assert {"fid", "kid", "precision", "recall", "density", "coverage"} <= set(found.metrics)


def test_fewer_real_images_than_samples_are_refused(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    with pytest.raises(EvaluationError, match="samples=60 is more than the 50 images"):
        evaluate_images(images(50, seed=2), against, make_protocol(against))
