"""The exact flow map of a Gaussian: what the targets make of it, and what its jumps draw."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from models.flows.maps import jump, jump_and_renoise, two_part_target
from tests.models.flows.gaussian import Gaussian

GAUSSIAN = Gaussian(0.3, 0.5)


def rows(n: int = 64, ratio: float | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z, t, middle and s, with t - middle = ratio (t - s), or any ratio where it is None."""
    t, s = torch.rand(2, n, dtype=torch.float64).sort(0, descending=True).values
    share = torch.rand(n, dtype=torch.float64) if ratio is None else torch.full((n,), ratio, dtype=torch.float64)
    return torch.randn(n, 1, 2, 2, dtype=torch.float64), t, t - share * (t - s), s


@pytest.mark.parametrize("ratio", [None, 0.0, 0.01, 0.5, 1.0])
def test_the_exact_map_is_a_fixed_point_at_every_ratio(ratio: float | None) -> None:
    """In two parts that the map itself takes: zero error, and so no gradient."""
    z, t, middle, s = rows(ratio=ratio)
    first = GAUSSIAN.mean_velocity(z, t, middle)
    target = two_part_target(GAUSSIAN.mean_velocity, z, first, t, middle, s)
    torch.testing.assert_close(target, GAUSSIAN.mean_velocity(z, t, s))


def test_with_the_data_as_first_part_the_error_of_a_step_is_of_second_order_in_the_ratio() -> None:
    """The target is affine in eps - x here, so its mean given z is that of E[eps - x | z]: an Euler step's error."""
    z, t, _, s = rows()
    errors = []
    for ratio in (0.04, 0.02, 0.01):
        middle = t - ratio * (t - s)
        target = two_part_target(GAUSSIAN.mean_velocity, z, GAUSSIAN.velocity(z, t), t, middle, s)
        errors.append((target - GAUSSIAN.mean_velocity(z, t, s)).abs().mean().item())
    assert [math.log2(a / b) for a, b in itertools.pairwise(errors)][-1] == pytest.approx(2, abs=0.1)


def shrunk(gaussian: Gaussian, ratio: float, t: float, end: float = 1e-7) -> float:
    """What remains of z_t - mean_t at t = 0 after Euler steps from t to (1 - ratio) t and so on."""
    factor = 1.0
    while t > end:
        here = torch.tensor([t], dtype=torch.float64)
        slope = gaussian.velocity(torch.ones(1, 1, 1, 1, dtype=torch.float64), here).item()
        factor *= 1 - ratio * t * slope
        t *= 1 - ratio
    return factor


@pytest.mark.parametrize(
    ("ratio", "deviation"), [(0.5, 0.425), (0.2, 0.538), (0.1, 0.570), (0.05, 0.585), (0.02, 0.594), (0.01, 0.597)]
)
def test_the_fixed_point_of_consistency_training_is_euler_on_a_geometric_grid(ratio: float, deviation: float) -> None:
    """Of N(0, 0.6^2), whose samples in one step therefore have too small a deviation."""
    gaussian = Gaussian(0.0, 0.6)

    def mean_velocity(z: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return z * (1 - shrunk(gaussian, ratio, t.item())) / t.item()

    for time in (1.0, 0.7):
        z, t, s = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.tensor([time]).double(), torch.zeros(1).double()
        target = two_part_target(mean_velocity, z, gaussian.velocity(z, t), t, (1 - ratio) * t, s)
        torch.testing.assert_close(target, mean_velocity(z, t, s), rtol=1e-6, atol=1e-6)
    assert shrunk(gaussian, ratio, 1.0) == pytest.approx(deviation, abs=6e-4)


def test_any_number_of_exact_jumps_equals_one() -> None:
    z = torch.randn(16, 1, 2, 2, dtype=torch.float64)
    once = jump(GAUSSIAN.mean_velocity, z, 1)
    torch.testing.assert_close(once, 0.3 + 0.5 * z)
    for steps in (2, 3, 7, 50):
        torch.testing.assert_close(jump(GAUSSIAN.mean_velocity, z, steps), once)


def test_new_noise_between_exact_jumps_keeps_the_distribution() -> None:
    """Within four standard errors of 20,000 draws; the jumps but the last leave the first noise behind."""
    z = torch.randn(20_000, 1, 1, 1, dtype=torch.float64)
    for steps in (1, 2, 4):
        drawn = jump_and_renoise(GAUSSIAN.mean_velocity, z, steps, torch.Generator().manual_seed(steps))
        assert drawn.mean().item() == pytest.approx(0.3, abs=4 * 0.5 / 20_000**0.5)
        assert drawn.std().item() == pytest.approx(0.5, abs=4 * 0.5 / 40_000**0.5)
    one = jump_and_renoise(GAUSSIAN.mean_velocity, z, 1, torch.Generator())
    assert torch.equal(one, jump(GAUSSIAN.mean_velocity, z, 1))
