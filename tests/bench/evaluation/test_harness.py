"""Quantisation, chunks, and whole evaluations against torch-fidelity's own."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset

from bench.evaluation import (
    METRICS,
    EvaluationError,
    Extractor,
    Protocol,
    Reference,
    evaluate,
    evaluate_images,
    generate,
    quantise,
    reference,
)

MakeProtocol = Callable[..., Protocol]


def noise(n: int, generator: torch.Generator) -> Tensor:
    """A model: squares of uniform noise."""
    return torch.rand(n, 1, 28, 28, generator=generator) ** 2 * 2 - 1


def constant(n: int, generator: torch.Generator) -> Tensor:
    return torch.full((n, 1, 28, 28), 0.25)


@pytest.fixture
def against(extractor: Extractor, images: Callable[..., Tensor]) -> Reference:
    return reference(images(200, seed=1), extractor)


def test_quantise_inverts_the_scaling_of_every_8_bit_value() -> None:
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(quantise(values / 127.5 - 1), values)


def test_quantise_rounds_to_the_nearest_and_clamps() -> None:
    x = torch.tensor([-1.5, -1, -0.999, 0.9999, 1, 7.0]).reshape(1, 1, 2, 3)
    assert quantise(x).flatten().tolist() == [0, 0, 0, 255, 255, 255]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.full((3, 1, 2, 2), math.nan), "3 of 3 samples hold NaN or infinity"),
        (torch.tensor([0.0, math.inf]).reshape(2, 1, 1, 1), "1 of 2 samples hold NaN"),
        (torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16), "type torch.bfloat16"),
        (torch.zeros(1, 2, 2), r"shape \(1, 2, 2\)"),
    ],
)
def test_quantise_refuses_what_is_no_image(x: Tensor, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        quantise(x)


@pytest.mark.parametrize("world_size", [2, 3, 8])
def test_ranks_together_make_the_images_that_one_makes(world_size: int) -> None:
    alone = dict(generate(noise, 23, chunk=5, seed=4))
    shared: dict[int, Tensor] = {}
    for rank in range(world_size):
        shared |= dict(generate(noise, 23, chunk=5, seed=4, rank=rank, world_size=world_size))
    assert sorted(shared) == sorted(alone) == [0, 1, 2, 3, 4]
    assert all(torch.equal(shared[k], alone[k]) for k in alone)
    assert [len(alone[k]) for k in sorted(alone)] == [5, 5, 5, 5, 3]


def test_chunks_and_seeds_do_not_repeat_each_other() -> None:
    made = [image for seed in range(4) for _, image in generate(noise, 16, chunk=4, seed=seed)]
    assert len({image.numpy().tobytes() for chunk in made for image in chunk}) == 4 * 16


def test_a_sampler_that_returns_another_number_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"sample\(5\) returned 4 images"):
        list(generate(lambda n, g: noise(n - 1, g), 10, chunk=5, seed=0))


class Images(Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def test_the_figures_are_those_of_torch_fidelity(
    extractor: Extractor, against: Reference, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(extractor, against, samples=200, seed=2020, kid_subset_size=100, kid_subsets=20)
    ours = evaluate(noise, against, extractor, protocol).metrics
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
    extractor: Extractor, against: Reference, make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(extractor, against, samples=150)
    stages: list[str] = []
    first = evaluate(noise, against, extractor, protocol, progress=lambda stage, *_: stages.append(stage))
    again = evaluate(noise, against, extractor, protocol)
    assert first.metrics == again.metrics
    assert first.flags == ()
    assert set(first.seconds) == {"sampling", "features", *METRICS}
    assert len(first.images) == 64
    assert torch.equal(first.images[:50], torch.cat([x for _, x in generate(noise, 50, chunk=25, seed=0)]))
    assert set(stages) == {"sampling", "metrics"}


def test_the_reference_evaluated_against_itself_is_perfect(
    extractor: Extractor, against: Reference, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(extractor, against, samples=200, chunk=500, weights="none")
    found = evaluate_images(images(200, seed=1), against, extractor, protocol).metrics
    assert found["fid"] == pytest.approx(0, abs=1e-6)
    assert [found[name] for name in ("precision", "recall", "density", "coverage")] == [1, 1, 1, 1]


def test_held_out_images_are_the_floor(
    extractor: Extractor, against: Reference, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    protocol = make_protocol(extractor, against, samples=150, weights="none")
    real = evaluate_images(images(180, seed=2), against, extractor, protocol).metrics
    fake = evaluate(noise, against, extractor, protocol).metrics
    for name, metric in METRICS.items():
        better = real[name] < fake[name] if metric.direction == "lower" else real[name] > fake[name]
        assert better, name


def test_constant_samples_are_flagged_and_score_badly(
    extractor: Extractor, against: Reference, make_protocol: MakeProtocol
) -> None:
    found = evaluate(constant, against, extractor, make_protocol(extractor, against))
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
        (noise, {"samples": 201}, "samples=201 are more than the 200 images"),
        (noise, {"extractor": "inception-v3"}, "states extractor=inception-v3, but what was given is mnist-cnn"),
        (noise, {"extractor_digest": "0"}, "the protocol states extractor_digest=0"),
        (noise, {"reference_digest": "0"}, "the protocol states reference_digest=0"),
    ],
)
def test_nothing_wrong_becomes_a_number(
    extractor: Extractor, against: Reference, make_protocol: MakeProtocol, sample: Any, changes: Any, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluate(sample, against, extractor, make_protocol(extractor, against, **changes))


def test_fewer_real_images_than_samples_are_refused(
    extractor: Extractor, against: Reference, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    with pytest.raises(EvaluationError, match="samples=60 are more than the 50 images"):
        evaluate_images(images(50, seed=2), against, extractor, make_protocol(extractor, against))
