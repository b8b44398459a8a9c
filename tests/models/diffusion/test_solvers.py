"""Fast samplers against exact solutions, against each other, and against diffusers' scheduler."""

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from models.diffusion.grids import SIGMA_MAX, SIGMA_MIN, karras
from models.diffusion.process import Process, cosine_beta, linear_beta
from models.diffusion.samplers import Denoiser, ancestral, ddim
from models.diffusion.solvers import dpm_solver_2m, heun

Solver = Callable[..., Tensor]
NO_NOISE = torch.Generator()
SOLVERS: dict[str, Solver] = {
    "dpm-solver": lambda denoiser, process, x, visited: dpm_solver_2m(
        denoiser, process, x, visited, NO_NOISE, clip=False
    ),
    "heun": lambda denoiser, process, x, visited: heun(denoiser, process, x, visited, clip=False),
    "ddim": lambda denoiser, process, x, visited: ddim(denoiser, process, x, visited, NO_NOISE, clip=False),
}


@pytest.fixture(scope="module")
def fine() -> Process:
    """So many times that rounding to one of them hardly matters."""
    return Process(cosine_beta(200_000))


def denoiser_of(process: Process, centres: Sequence[float], deviation: float) -> Denoiser:
    """E[eps | x_t] for x_0 from a mixture of Gaussians of one deviation and equal weights."""
    means = torch.tensor(centres, dtype=torch.float64)

    def eps(x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = process.alpha_bar[t].view(-1, 1, 1, 1)
        variance = alpha_bar * deviation**2 + 1 - alpha_bar
        offsets = x[..., None] - alpha_bar.sqrt()[..., None] * means
        weights = (-offsets.square() / (2 * variance[..., None])).softmax(-1)
        return (1 - alpha_bar).sqrt() / variance * (weights * offsets).sum(-1)

    return eps


def time_of(process: Process, sigma: float) -> int:
    return int((process.half_log_snr[1:] + math.log(sigma)).abs().argmin()) + 1


def log_spaced(process: Process, steps: int, highest: float = 10.0, lowest: float = 0.05) -> list[int]:
    """Times with even steps in lambda, and 0."""
    sigmas = torch.linspace(math.log(highest), math.log(lowest), steps + 1).exp().tolist()
    return [*(time_of(process, sigma) for sigma in sigmas), 0]


def orders(errors: Sequence[float]) -> list[float]:
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("dpm-solver", 2), ("heun", 2)])
def test_the_error_on_a_gaussian_falls_with_the_solvers_order(fine: Process, name: str, order: int) -> None:
    """The probability-flow ODE in sigma keeps (x - mu) / sqrt(deviation^2 + sigma^2); the step to 0 predicts x_0."""
    mu, deviation = 0.3, 0.5
    ends = [time_of(fine, 10.0), time_of(fine, 0.05)]
    sigma, alpha = ((-fine.half_log_snr[ends]).exp(), fine.alpha_bar[ends].sqrt())
    variances = (deviation**2 + sigma**2).tolist()
    x = torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64).view(3, 1, 1, 1)  # in units of the deviation at the start
    last = x * variances[1] ** 0.5
    exact = mu + last * deviation**2 / variances[1]
    start = alpha[0] * (mu + x * variances[0] ** 0.5)
    errors = [
        (SOLVERS[name](denoiser_of(fine, [mu], deviation), fine, start, log_spaced(fine, steps)) - exact).abs().max()
        for steps in (20, 40, 80)
    ]
    assert orders([error.item() for error in errors])[-1] == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("dpm-solver", 2), ("heun", 2)])
def test_the_error_on_a_mixture_falls_with_the_solvers_order(fine: Process, name: str, order: int) -> None:
    """Beside a reference of many steps; the Gaussians are 5 deviations apart, so paths divide between them."""
    denoiser = denoiser_of(fine, [-0.7, 0.1, 0.8], 0.16)
    start = fine.alpha_bar[time_of(fine, 10.0)].sqrt() * torch.linspace(-9, 9, 7, dtype=torch.float64).view(7, 1, 1, 1)
    reference = SOLVERS["heun"](denoiser, fine, start, log_spaced(fine, 2000))
    errors = [
        (SOLVERS[name](denoiser, fine, start, log_spaced(fine, steps)) - reference).abs().mean().item()
        for steps in (100, 200, 400)
    ]
    assert orders(errors)[-1] == pytest.approx(order, abs=0.35)


def second_input(solver: Callable[[Denoiser], object]) -> Tensor:
    """x at the second time that a solver visits."""
    inputs: list[Tensor] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        inputs.append(x)
        return 0.9 * x + 0.3 * torch.sin(3 * x) + 0.001 * t.view(-1, 1, 1, 1)

    solver(spy)
    return inputs[1]


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("s", [999, 700, 1])
def test_the_first_step_is_ddims_without_noise_and_the_ancestral_one_with_all_of_it(s: int, clip: bool) -> None:
    process, x = Process(linear_beta(1000)), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    visited = [1000, s, 0]

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    for eta, plain in ((0.0, ddim), (1.0, ancestral)):
        expected = second_input(lambda d, plain=plain: plain(d, process, x, visited, seeded(), clip=clip))  # type: ignore[misc, operator]
        drawn = second_input(lambda d, eta=eta: dpm_solver_2m(d, process, x, visited, seeded(), eta, clip))  # type: ignore[misc]
        torch.testing.assert_close(drawn, expected)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [2, 5, 20, 50])
def test_dpm_solver_is_diffusers_step_by_step(steps: int, eta: float) -> None:
    diffusers = pytest.importorskip("diffusers")
    process = Process(linear_beta(1000))
    scheduler = diffusers.DPMSolverMultistepScheduler(
        trained_betas=linear_beta(1000).numpy(), solver_order=2, final_sigmas_type="zero",
        algorithm_type="sde-dpmsolver++" if eta else "dpmsolver++",
    )  # fmt: skip
    visited = karras(process, steps, 20.0, 0.05)
    scheduler.set_timesteps(timesteps=[t - 1 for t in visited[:-1]])
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        return 0.9 * x + 0.1 * torch.sin(3 * x) + 0.0002 * t.view(-1, 1, 1, 1)

    generator, theirs = torch.Generator().manual_seed(7), x
    for index in scheduler.timesteps:
        drawn = torch.randn(x.shape, generator=generator).to(x) if eta and index != scheduler.timesteps[-1] else None
        output = denoiser(theirs, index.repeat(3) + 1)
        theirs = scheduler.step(output, index, theirs, variance_noise=drawn).prev_sample
    ours = dpm_solver_2m(denoiser, process, x, visited, torch.Generator().manual_seed(7), eta, clip=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_noise_replaces_what_it_takes_away(fine: Process) -> None:
    """Of a Gaussian every eta draws the same deviation; within four standard errors of 20,000 draws."""
    n, mu, deviation = 20_000, 0.3, 0.5
    visited = log_spaced(fine, 60)
    alpha_bar = fine.alpha_bar[visited[0]].item()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 1, 1, 1, generator=generator, dtype=torch.float64)
    start = alpha_bar**0.5 * mu + (alpha_bar * deviation**2 + 1 - alpha_bar) ** 0.5 * noise
    for eta in (0.0, 0.5, 1.0):
        drawn = dpm_solver_2m(denoiser_of(fine, [mu], deviation), fine, start, visited, generator, eta, clip=False)
        assert drawn.mean().item() == pytest.approx(mu, abs=4 * deviation / n**0.5)
        assert drawn.std().item() == pytest.approx(deviation, abs=4 * deviation / (2 * n) ** 0.5 + 0.005)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_point_is_reached_exactly_and_nothing_is_nan(name: str, steps: int) -> None:
    process = Process(cosine_beta(1000))
    x = torch.randn(5, 1, 1, 1, dtype=torch.float64)
    drawn = SOLVERS[name](denoiser_of(process, [0.4], 0.0), process, x, karras(process, steps, SIGMA_MAX, SIGMA_MIN))
    torch.testing.assert_close(drawn, torch.full_like(x, 0.4))


@pytest.mark.parametrize("name", ["dpm-solver", "heun"])
def test_a_grid_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ends at t = 0"):
        SOLVERS[name](lambda x, t: x, Process(linear_beta(10)), torch.zeros(1, 1, 1, 1), [10, 5])


def test_heun_evaluates_the_denoiser_twice_a_step_but_in_the_last() -> None:
    process, asked = Process(linear_beta(1000)), []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        asked.append(int(t[0]))
        return x

    heun(spy, process, torch.randn(2, 1, 1, 1), [1000, 500, 10, 0])
    assert asked == [1000, 500, 500, 10, 10]
