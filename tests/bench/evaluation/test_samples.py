"""Chunks and their generators, and the 8 bits that samples are judged in."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.samples import generate, labels_of, quantise


def noise(n: int, generator: torch.Generator) -> Tensor:
    """A model: squares of uniform noise."""
    return torch.rand(n, 1, 28, 28, generator=generator) ** 2 * 2 - 1


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


def test_points_are_judged_as_they_were_drawn() -> None:
    def points(n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 2, 1, 1, generator=generator) / 3

    (_, kept), (_, rounded) = (next(generate(points, 5, chunk=5, seed=1, quantisation=q)) for q in ("none", "uint8"))
    assert kept.dtype == torch.float32
    assert torch.equal(quantise(kept), rounded)
    with pytest.raises(EvaluationError, match="5 of 5 samples hold NaN"):
        next(generate(lambda n, g: points(n, g) / 0, 5, chunk=5, seed=1, quantisation="none"))


@pytest.mark.parametrize("chunk", [3, 7, 100])
def test_labels_are_those_that_the_samples_drew_first(chunk: int) -> None:
    def labels(n: int, generator: torch.Generator) -> Tensor:
        return torch.randint(256, (n,), generator=generator)

    def shaded(n: int, generator: torch.Generator) -> Tensor:
        return (labels(n, generator) / 127.5 - 1).view(n, 1, 1, 1)

    settings: dict[str, Any] = {"chunk": chunk, "seed": 5, "training_seed": 2}
    images = torch.cat([part for _, part in generate(shaded, 20, **settings)])
    assert torch.equal(labels_of(labels, 20, device="cpu", **settings), images.flatten().long())


def test_labels_of_a_model_that_draws_none_are_refused() -> None:
    with pytest.raises(EvaluationError, match="the model drew no labels"):
        labels_of(lambda n, generator: None, 4, chunk=2, seed=0, training_seed=0, device="cpu")
