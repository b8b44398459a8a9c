"""Times of a batch are spread evenly; tests/models/test_ddpm.py has what their spread means for a loss."""

import pytest
import torch

from models.diffusion.times import spread_times


@pytest.mark.parametrize("T", [1, 7, 1000])
@pytest.mark.parametrize("n", [1, 5, 2000])
def test_each_time_comes_as_often_as_the_next_within_one(T: int, n: int) -> None:
    t = spread_times(T, n, torch.device("cpu"))
    counts = torch.bincount(t, minlength=T + 1)
    assert t.shape == (n,)
    assert counts[0] == 0
    assert len(counts) == T + 1
    assert counts[1:].max() <= -(-n // T) + 1
