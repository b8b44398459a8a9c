"""The path's ends and its middle, and the distributions of the times."""

import pytest
import torch

from models.flows.path import Times, draw_times, interpolate

CPU = torch.device("cpu")


def test_the_path_goes_straight_from_the_image_to_its_noise() -> None:
    x, eps = torch.randn(2, 4, 1, 3, 3, dtype=torch.float64)
    t = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    z = interpolate(x, eps, t)
    assert torch.equal(z[0], x[0])
    assert torch.equal(z[3], eps[3])
    torch.testing.assert_close(z[1], 0.75 * x[1] + 0.25 * eps[1])
    torch.testing.assert_close(z[2], (x[2] + eps[2]) / 2)


@pytest.mark.parametrize("kind", ["logit-normal", "uniform"])
def test_a_large_batch_of_times_has_the_distributions_quantiles(kind: Times) -> None:
    """Spread evenly, so the k-th of n sorted times is the k / n quantile to 1 / n of probability."""
    n = 10_000
    t = draw_times(kind, n, CPU).double().sort().values
    assert (t >= 0).all()
    assert (t <= 1).all()
    probability = t if kind == "uniform" else torch.special.ndtr(torch.logit(t))
    expected = torch.arange(n, dtype=torch.float64) / n
    assert (probability - expected).abs().max() < 1.5 / n


def test_the_outermost_times_are_finite() -> None:
    assert torch.special.ndtri(torch.tensor([0.0])).sigmoid().item() == 0
    assert draw_times("logit-normal", 1, CPU).isfinite().all()
