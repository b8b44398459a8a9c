"""Grids end at 0, begin at T, and space what they say evenly; what a process does not have is refused by name."""

import itertools
import math

import pytest
import torch

from models.diffusion.grids import RHO, SIGMA_MAX, SIGMA_MIN, even, karras, log_snr
from models.diffusion.process import Process, cosine_beta, linear_beta

T = 1000


@pytest.fixture(scope="module")
def fine() -> Process:
    """So many times that rounding to one of them hardly matters."""
    return Process(cosine_beta(200_000))


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 50, 100, 333, 999, 1000])
def test_times_run_from_T_to_0_evenly(steps: int) -> None:
    visited = even(T, steps)
    assert (visited[0], visited[-1], len(visited)) == (T, 0, steps + 1)
    gaps = [t - s for t, s in itertools.pairwise(visited)]
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1
    for i, t in enumerate(reversed(visited)):
        assert abs(t - T * i / steps) <= 0.5


@pytest.mark.parametrize("T", [1, 2, 17, 1000])
def test_as_many_steps_as_times_visit_every_time(T: int) -> None:
    assert even(T, T) == list(range(T, -1, -1))


@pytest.mark.parametrize("steps", [-1, 0, 1001])
def test_steps_outside_the_process_are_refused(steps: int) -> None:
    process = Process(linear_beta(T))
    for grid in (lambda: even(T, steps), lambda: karras(process, steps), lambda: log_snr(process, steps)):
        with pytest.raises(ValueError, match=f"steps={steps} .* T=1000"):
            grid()


@pytest.mark.parametrize("steps", [3, 10, 50])
@pytest.mark.parametrize("grid", [log_snr, karras])
def test_between_the_ends_noise_levels_are_even_in_the_grids_own_measure(
    fine: Process, grid: object, steps: int
) -> None:
    visited = grid(fine, steps)  # type: ignore[operator]
    assert (visited[0], visited[-1], len(visited)) == (fine.T, 0, steps + 1)
    sigmas = [math.exp(-fine.half_log_snr[t].item()) for t in visited[1:-1]]
    assert (sigmas[0], sigmas[-1]) == pytest.approx((SIGMA_MAX, SIGMA_MIN), rel=1e-2)
    measures = [math.log(sigma) if grid is log_snr else sigma ** (1 / RHO) for sigma in sigmas]
    gaps = [a - b for a, b in itertools.pairwise(measures)]
    assert max(gaps) == pytest.approx(min(gaps), rel=2e-2)


@pytest.mark.parametrize("grid", [log_snr, karras])
def test_one_step_is_from_T_to_0_and_two_stop_at_the_highest_level(grid: object) -> None:
    process = Process(cosine_beta(T))
    assert grid(process, 1) == [T, 0]  # type: ignore[operator]
    first, middle, last = grid(process, 2)  # type: ignore[operator]
    assert (first, last) == (T, 0)
    assert math.exp(-process.half_log_snr[middle].item()) == pytest.approx(SIGMA_MAX, rel=0.05)


def test_a_grid_that_would_visit_a_time_twice_is_refused_with_the_number_of_times() -> None:
    process = Process(cosine_beta(100))
    inside = sum(SIGMA_MIN <= math.exp(-process.half_log_snr[t].item()) <= SIGMA_MAX for t in range(1, 101))
    with pytest.raises(ValueError, match=f"steps=90: rounded to the {inside} times"):
        karras(process, 90)


@pytest.mark.parametrize(("highest", "lowest"), [(0.1, 1.0), (1e9, 0.03), (35.0, 1e-9)])
def test_levels_that_the_process_does_not_have_are_refused_with_its_range(highest: float, lowest: float) -> None:
    with pytest.raises(ValueError, match="sigma_max=.*, sigma_min=.*: choose"):
        log_snr(Process(cosine_beta(T)), 10, highest, lowest)


def test_the_signal_to_noise_ratio_of_the_table_is_that_of_the_process() -> None:
    process = Process(cosine_beta(T))
    t = torch.tensor([1, 500, 900])
    assert (2 * process.half_log_snr[t]).exp().float().tolist() == pytest.approx(process.snr(t).tolist(), rel=1e-4)
    assert process.half_log_snr[0] == math.inf
