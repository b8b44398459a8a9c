"""Two processes and one sample the same; the difference that is reported is relative."""

import torch

from bench.selftest.ranks import ImageSampler, _relative_difference


def test_the_sampler_draws_given_images_by_its_generator_alone() -> None:
    images = torch.arange(50, dtype=torch.uint8)[:, None, None, None]
    draws = [ImageSampler(images)(30, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert set(((draws[0] + 1) * 127.5).round().flatten().tolist()) <= set(range(50))


def test_differences_are_relative_to_the_larger_figure() -> None:
    assert _relative_difference(0.0, 0.0) == 0
    assert _relative_difference(2.0, 1.0) == _relative_difference(-1.0, -2.0) == 0.5
