"""Keys of random streams: one purpose never opens the stream of another, even with equal numbers."""

import itertools

import torch

from bench.evaluation.keys import key, seeded
from bench.evaluation.samples import generate
from bench.training.callbacks import RandomState

PURPOSES = ("initial weights", "training", "samples", "timing", "pictures", "corruption", "likelihood")


def test_first_draws_of_all_purposes_differ_for_equal_seeds() -> None:
    draws = [
        torch.randn(64, generator=seeded("cpu", purpose, *numbers))
        for purpose in PURPOSES
        for numbers in [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    ]
    assert not any(a.equal(b) for a, b in itertools.combinations(draws, 2))


def test_no_two_seeds_below_a_thousand_share_a_stream() -> None:
    found = {key(purpose, seed) for purpose in PURPOSES for seed in range(1000)}
    assert len(found) == len(PURPOSES) * 1000


def test_a_key_fits_in_what_torch_keeps_of_a_seed() -> None:
    assert all(0 <= key("samples", 2**40, seed) < 2**32 for seed in range(100))


def test_the_first_draw_of_training_is_not_the_first_draw_of_sampling() -> None:
    for seed in range(5):
        torch.manual_seed(RandomState(seed).seed)
        trained_on = torch.randn(8, 2)
        seen: list[torch.Tensor] = []

        def sample(n: int, generator: torch.Generator, seen: list[torch.Tensor] = seen) -> torch.Tensor:
            seen.append(torch.randn(8, 2, generator=generator))
            return torch.zeros(n, 1, 1, 1)

        list(generate(sample, 4, chunk=2, seed=seed, training_seed=seed))
        assert not any(draw.equal(trained_on) for draw in seen)


def test_models_of_two_training_seeds_are_sampled_from_different_noise() -> None:
    def sample(n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(n, 1, 2, 2, generator=generator)

    first, again, other = (
        torch.cat([x for _, x in generate(sample, 6, chunk=4, seed=0, training_seed=s, quantisation="none")])
        for s in (0, 0, 1)
    )
    assert first.equal(again)
    assert not (first == other).any()
