"""Euler's and Heun's methods against a Gaussian's exact flow."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from models.flows.solvers import Method, evaluated, even_times, solve
from tests.models.flows.gaussian import Gaussian

GAUSSIAN = Gaussian(0.3, 0.5)
METHODS: list[Method] = ["euler", "heun"]


def ends(z: Tensor) -> Tensor:
    one = torch.ones(len(z), dtype=z.dtype)
    return GAUSSIAN.mapped(z, one, torch.zeros_like(one))


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_with_the_methods_order(method: Method, order: int) -> None:
    z = torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    errors = [(solve(method, GAUSSIAN.velocity, z, steps) - ends(z)).abs().max().item() for steps in (40, 80, 160)]
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert slopes[-1] == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("method", METHODS)
def test_a_single_image_is_reached_exactly(method: Method, steps: int) -> None:
    """Its paths are straight, with the velocity (z - x) / t, and -x at t = 0, where nothing tells of the noise."""
    z = torch.randn(5, 1, 2, 2, dtype=torch.float64)
    drawn = solve(method, Gaussian(0.4, 0.0).velocity, z, steps)
    torch.testing.assert_close(drawn, torch.full_like(z, 0.4))


@pytest.mark.parametrize("method", METHODS)
def test_evaluated_are_those_that_are_counted_at_times_from_1_to_0(method: Method) -> None:
    asked: list[float] = []

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        asked.append(t[0].item())
        assert (t == t[0]).all()
        return z

    solve(method, velocity, torch.randn(2, 1, 1, 1), 4)
    assert asked == evaluated(method, 4)
    assert asked == ([1.0, 0.75, 0.5, 0.25] if method == "euler" else [1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25])
    assert even_times(4) == [1.0, 0.75, 0.5, 0.25, 0.0]


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_overwrites_its_result_changes_nothing(method: Method) -> None:
    """As one replayed on a GPU does."""
    z, result = torch.randn(2, 1, 2, 2), torch.empty(2, 1, 2, 2)

    def fresh(z: Tensor, t: Tensor) -> Tensor:
        return torch.sin(3 * z) + t.view(-1, 1, 1, 1)

    assert torch.equal(solve(method, lambda z, t: result.copy_(fresh(z, t)), z, 5), solve(method, fresh, z, 5))
