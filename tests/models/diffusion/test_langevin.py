"""Annealed Langevin dynamics with exact scores: the variances of Proposition 3, and a distribution's own moments."""

import pytest
import torch
from torch import Tensor

from models.diffusion.langevin import annealed_langevin, annealed_langevin_path, score
from models.diffusion.noise_levels import geometric, langevin_step_size, variance_ratio
from models.diffusion.process import Process, sigma_beta

SIGMAS = geometric(4.0, 0.5, 7)
PROCESS = Process(sigma_beta(SIGMAS))
RATIO = (SIGMAS[1] / SIGMAS[0]).item()


def gaussian(variance: float, mean: float = 0.0) -> object:
    """The exact denoiser of images N(mean, variance): eps = sigma (y - mean) / (variance + sigma^2) at level t."""

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        sigma = SIGMAS[t[0] - 1].item()
        y = x_t * (1 + sigma**2) ** 0.5
        return sigma * (y - mean) / (variance + sigma**2)

    return denoiser


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("t", [1, 4, 7])
def test_the_score_is_that_of_the_noisy_distribution(t: int) -> None:
    y = torch.randn(5, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    variance = 0.3 + SIGMAS[t - 1].item() ** 2
    log_p = -(y - 0.2).square().sum() / (2 * variance)
    (expected,) = torch.autograd.grad(log_p, y)
    actual = score(gaussian(0.3, 0.2), PROCESS, y.detach(), t)  # type: ignore[arg-type]
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_variance_at_each_level_is_that_of_proposition_3(steps: int) -> None:
    """From an exact start at a level above the highest; images of one point, five standard errors."""
    epsilon = langevin_step_size(SIGMAS[0].item(), RATIO, steps)
    n = 100_000
    y = RATIO * SIGMAS[-1].item() * torch.randn(n, 1, 1, 1, dtype=torch.float64)
    before = RATIO**2  # the start's variance over the present level's
    for t, y_t in annealed_langevin_path(gaussian(0.0), PROCESS, y, steps, epsilon, seeded()):  # type: ignore[arg-type]
        if t == 0:
            break
        predicted = variance_ratio(epsilon / SIGMAS[0].item() ** 2, before**0.5, steps)
        assert y_t.var().item() / SIGMAS[t - 1].item() ** 2 == pytest.approx(predicted, rel=5 * (2 / n) ** 0.5)
        before = predicted * RATIO**2
    # Technique 4 sets the step size for an exact level before; from level to level the error does not build up
    assert abs(before / RATIO**2 - 1) < 3 * abs(variance_ratio(epsilon / SIGMAS[0].item() ** 2, RATIO, steps) - 1)


def test_small_steps_sample_a_gaussian_and_the_last_estimate_removes_the_noise() -> None:
    """x_0 = E[x_0 | y], whose variance is variance^2 / (variance + sigma^2) at the lowest level; five errors."""
    n, variance = 20_000, 0.1
    y = 4 * torch.rand(n, 1, 1, 1, dtype=torch.float64)
    x_0 = annealed_langevin(gaussian(variance, 0.3), PROCESS, y, 500, 0.01 * SIGMAS[0].item() ** 2, seeded())  # type: ignore[arg-type]
    expected = variance**2 / (variance + SIGMAS[0].item() ** 2)
    assert x_0.mean().item() == pytest.approx(0.3, abs=5 * (expected / n) ** 0.5)
    assert x_0.var().item() == pytest.approx(expected, rel=5 * (2 / n) ** 0.5 + 0.01)  # 0.01: the step's own bias


def test_levels_fall_and_each_takes_its_steps_and_the_end_one_more() -> None:
    asked: list[int] = []

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        asked.extend(t.unique().tolist())
        return x

    path = list(annealed_langevin_path(denoiser, PROCESS, torch.zeros(2, 1, 1, 1), 3, 1e-3, seeded()))
    assert [t for t, _ in path] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert asked == [t for t in range(7, 0, -1) for _ in range(3)] + [1]


def test_a_step_is_the_papers() -> None:
    """y + alpha s + sqrt(2 alpha) z with alpha = epsilon sigma_i^2 / sigma_L^2, once at each level."""
    y = torch.randn(4, 1, 2, 2, dtype=torch.float64)
    actual = dict(annealed_langevin_path(gaussian(0.3), PROCESS, y, 1, 1e-2, seeded()))  # type: ignore[arg-type]
    generator = seeded()
    for t in range(7, 0, -1):
        sigma = SIGMAS[t - 1].item()
        alpha = 1e-2 * (sigma / SIGMAS[0].item()) ** 2
        z = torch.randn(y.shape, generator=generator).double()
        y = y - alpha * y / (0.3 + sigma**2) + (2 * alpha) ** 0.5 * z
        torch.testing.assert_close(actual[t], y, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(actual[0], y * 0.3 / (0.3 + SIGMAS[0].item() ** 2), rtol=1e-6, atol=1e-9)
