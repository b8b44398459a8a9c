"""A matrix product reaches the peak, which is that of matrix products; shares of time name what was run."""

from functools import partial

import torch

from bench.speed import roofline
from bench.speed.roofline import compare_with_peak, shares_of_time


def test_a_matrix_product_is_counted_by_its_size_and_compared_with_itself() -> None:
    shares: list[float] = []
    left, right = torch.randn(256, 256), torch.randn(256, 256)
    answer = compare_with_peak("x", partial(torch.mm, left, right), "32-true", torch.device("cpu"), shares.append)
    assert 0 < answer.ratio < 20, "both sides are in operations a second"
    assert answer.unit == "GFLOP/s"
    assert "mm 9" in answer.note or "mm 100%" in answer.note, "all its time is the product's"
    assert abs(sum(shares) - 1) < 1e-9


def test_seconds_are_of_the_stated_operations() -> None:
    """Ten times the operations in the same time are a tenth of the seconds for 10^9."""
    device = torch.device("cpu")
    pause = partial(torch.mm, torch.randn(512, 512), torch.randn(512, 512))
    assert roofline.seconds_of_giga(pause, 1e15, device) < roofline.seconds_of_giga(pause, 1e6, device) / 1e3


def test_the_longest_operators_stand_first_with_falling_shares() -> None:
    x = torch.randn(256, 256)
    text = shares_of_time(lambda: (x @ x, x.exp(), x + 1), torch.device("cpu"))
    numbers = [int(part.rpartition(" ")[2].removesuffix("%")) for part in text.split(", ")]
    assert numbers == sorted(numbers, reverse=True)
    assert sum(numbers) <= 101
