"""Fast samplers against exact solutions, against each other, and against diffusers' scheduler."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import softmax
from torch import Tensor

from models.diffusion.grids import SIGMA_MAX, SIGMA_MIN, even, karras, log_snr
from models.diffusion.process import Process, cosine_beta, linear_beta
from models.diffusion.samplers import Denoiser, ancestral, ddim
from models.diffusion.solvers import ddim_step, dpm_solver_2m, heun, unic_average, unip_average, unipc

Solver = Callable[..., Tensor]
Grid = Callable[..., list[int]]
NO_NOISE = torch.Generator()
ORDERS = [("ddim", 1), ("dpm-solver", 2), ("heun", 2), ("unipc", 3)]
SOLVERS: dict[str, Solver] = {
    "dpm-solver": lambda denoiser, process, x, visited: dpm_solver_2m(
        denoiser, process, x, visited, NO_NOISE, clip=False
    ),
    "unipc": lambda denoiser, process, x, visited: unipc(denoiser, process, x, visited, clip=False),
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


def end_of_the_flow(
    process: Process, centres: Sequence[float], deviation: float, x: Tensor, visited: Sequence[int]
) -> Tensor:
    """E[x_0 | x] at the last noise level of a grid, on the probability-flow ODE of that mixture from x at the first.

    dy / d log sigma = sigma E[eps | y] for y of an image of unit scale, by an adaptive method of the eighth order.
    """
    first, last = process.half_log_snr[visited[0]].item(), process.half_log_snr[visited[-2]].item()

    def rise(lambda_t: float, y: np.ndarray) -> np.ndarray:
        variance = deviation**2 + math.exp(-2 * lambda_t)
        offsets = y[:, None] - np.array(centres)
        weights = softmax(-(offsets**2) / (2 * variance), axis=1)
        return math.exp(-2 * lambda_t) / variance * (weights * offsets).sum(1)

    y = (x / process.alpha_bar[visited[0]].sqrt()).flatten().numpy()
    path = solve_ivp(lambda lambda_t, y: -rise(lambda_t, y), (first, last), y, method="DOP853", rtol=1e-11, atol=1e-12)
    return torch.from_numpy(path.y[:, -1] - rise(last, path.y[:, -1])).view_as(x)


def time_of(process: Process, sigma: float) -> int:
    return int((process.half_log_snr[1:] + math.log(sigma)).abs().argmin()) + 1


def log_spaced(process: Process, steps: int, highest: float = 10.0, lowest: float = 0.05) -> list[int]:
    """Times with even steps in lambda, and 0."""
    sigmas = torch.linspace(math.log(highest), math.log(lowest), steps + 1).exp().tolist()
    return [*(time_of(process, sigma) for sigma in sigmas), 0]


def orders(errors: Sequence[float]) -> list[float]:
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


@pytest.mark.parametrize(("name", "order"), ORDERS)
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
    torch.testing.assert_close(end_of_the_flow(fine, [mu], deviation, start, [*ends, 0]), exact, rtol=1e-9, atol=0)
    errors = [
        (SOLVERS[name](denoiser_of(fine, [mu], deviation), fine, start, log_spaced(fine, steps)) - exact).abs().max()
        for steps in (20, 40, 80)
    ]
    assert orders([error.item() for error in errors])[-1] == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_the_error_on_a_mixture_falls_with_the_solvers_order(fine: Process, name: str, order: int) -> None:
    """The Gaussians are 5 deviations apart, so paths divide between them. UniPC's first step costs it no order."""
    mixture = [-0.7, 0.1, 0.8], 0.16
    start = fine.alpha_bar[time_of(fine, 10.0)].sqrt() * torch.linspace(-9, 9, 7, dtype=torch.float64).view(7, 1, 1, 1)
    exact = end_of_the_flow(fine, *mixture, start, log_spaced(fine, 1))
    errors = [
        (SOLVERS[name](denoiser_of(fine, *mixture), fine, start, log_spaced(fine, steps)) - exact).abs().mean().item()
        for steps in (100, 200, 400)
    ]
    assert orders(errors)[-1] == pytest.approx(order, abs=0.1)


def wavy(x: Tensor, t: Tensor) -> Tensor:
    """A denoiser that is not linear."""
    return 0.9 * x + 0.3 * torch.sin(3 * x) + 0.001 * t.view(-1, 1, 1, 1)


def second_input(solver: Callable[[Denoiser], object], denoiser: Denoiser = wavy) -> Tensor:
    """x at the second time that a solver visits."""
    inputs: list[Tensor] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        inputs.append(x)
        return denoiser(x, t)

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
    plain_step = second_input(lambda d: ddim(d, process, x, visited, NO_NOISE, clip=clip))
    for solver in (unipc, heun):
        drawn = second_input(lambda d, solver=solver: solver(d, process, x, visited, clip))  # type: ignore[misc]
        torch.testing.assert_close(drawn, plain_step)


@pytest.mark.parametrize("deviation", [0.0, 0.5, 4.0])
def test_the_step_from_T_adds_the_mean_that_noise_at_the_highest_level_lacks(deviation: float) -> None:
    """The second x of data of the means mu and -mu differs by 2 alpha mu, if the noise is the same."""
    process, mu = Process(cosine_beta(1000)), 0.3
    visited = karras(process, 10)
    shift = 2 * mu * process.alpha_bar[visited[1]].sqrt().item()
    x = torch.randn(4, 1, 3, 3, dtype=torch.float64)

    def drawn(name: str, mean: float) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        solver = {
            "ancestral": lambda d: ancestral(d, process, x, visited, generator, clip=False),
            "sde": lambda d: dpm_solver_2m(d, process, x, visited, generator, 1.0, clip=False),
        }.get(name, lambda d: SOLVERS[name](d, process, x, visited))
        return second_input(solver, denoiser_of(process, [mean], deviation))

    for name in (*SOLVERS, "ancestral", "sde"):
        difference = drawn(name, mu) - drawn(name, -mu)
        torch.testing.assert_close(difference, torch.full_like(x, shift), rtol=2e-3, atol=0)


@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize("grid", [karras, log_snr])
@pytest.mark.parametrize("name", SOLVERS)
def test_the_mean_of_the_noise_ends_at_the_mean_of_the_data(name: str, grid: Grid, steps: int) -> None:
    """On a Gaussian a solver is linear, so x = 0 ends at the mean of its draws; from sigma_max that is short of mu."""
    process, mu, deviation = Process(cosine_beta(1000)), 0.3, 4.0
    denoiser, visited = denoiser_of(process, [mu], deviation), grid(process, steps)
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    assert SOLVERS[name](denoiser, process, zero, visited).item() == pytest.approx(mu, rel=2e-3)
    assert SOLVERS[name](denoiser, process, zero, visited[1:]).item() < 0.95 * mu


@pytest.mark.parametrize(("grid", "steps"), [(karras, 20), (log_snr, 20), (even, 50)])
@pytest.mark.parametrize("name", ["dpm-solver", "heun", "unipc"])
def test_a_wide_direction_keeps_its_deviation_through_the_long_step_from_T(name: str, grid: Grid, steps: int) -> None:
    """A variance of 20, as of MNIST's first principal component, beside a first step from sigma 2e4 to 35 or to 32."""
    process, deviation = Process(cosine_beta(1000)), 20**0.5
    visited = even(1000, steps) if grid is even else grid(process, steps)
    x = torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    drawn = SOLVERS[name](denoiser_of(process, [0.0], deviation), process, x, visited)
    torch.testing.assert_close(drawn, deviation * x, rtol=0.03, atol=0)


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


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 20, 50])
def test_unipc_is_diffusers_step_by_step(steps: int) -> None:
    """With the noise levels in double precision: at the steps of a thousand, their float32 loses the corrector."""
    diffusers = pytest.importorskip("diffusers")
    process = Process(linear_beta(1000))
    scheduler = diffusers.UniPCMultistepScheduler(
        trained_betas=linear_beta(1000).numpy(), solver_order=2, solver_type="bh2", final_sigmas_type="zero"
    )
    visited = karras(process, steps, 20.0, 0.05)
    scheduler.set_timesteps(steps)
    scheduler.timesteps, scheduler.sigmas = torch.tensor(visited[:-1]) - 1, (-process.half_log_snr[visited]).exp()
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    inputs: list[Tensor] = []

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        inputs.append(x)
        return 0.9 * x + 0.1 * torch.sin(3 * x) + 0.0002 * t.view(-1, 1, 1, 1)

    theirs = [x]
    for index in scheduler.timesteps:
        theirs.append(scheduler.step(denoiser(theirs[-1], index.repeat(3) + 1), index, theirs[-1]).prev_sample)
    inputs.clear()
    ours = unipc(denoiser, process, x, visited, clip=False)
    torch.testing.assert_close(torch.stack([*inputs, ours]), torch.stack(theirs), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("h", [0.05, 0.5, 6.0])
@pytest.mark.parametrize("earlier_h", [0.02, 0.5, 6.0])
def test_unic_is_exact_where_x_0_is_a_parabola_in_lambda(h: float, earlier_h: float) -> None:
    """x_s = s_s / s_t x_t + alpha_s times the integral of e^(u - h) x_0(u) over the step, u from 0 to h."""

    def x_0(u: float) -> Tensor:
        return torch.tensor([1.0, u, u**2], dtype=torch.float64)

    weight = -math.expm1(-h)
    integrals = torch.tensor([weight, h - weight, h**2 - 2 * (h - weight)], dtype=torch.float64)
    average = unic_average([(x_0(-earlier_h), earlier_h), (x_0(0), h)], x_0(h))
    torch.testing.assert_close(average, integrals / weight, rtol=1e-9, atol=1e-9)


def test_a_first_step_from_no_signal_is_corrected_to_the_next_order_in_the_datas_share() -> None:
    """On a Gaussian around 0 the exact step multiplies noise by sqrt(1 + q), q = deviation^2 / sigma^2."""
    process = Process(cosine_beta(1000))
    t, s = 1000, time_of(process, 35.0)
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    sigma, alpha = math.exp(-process.half_log_snr[s].item()), process.alpha_bar[s].item() ** 0.5
    predicted, corrected = [], []
    for q in (0.04, 0.08):
        exact = alpha * sigma * (1 + q) ** 0.5
        known = [(torch.zeros_like(x), (process.half_log_snr[s] - process.half_log_snr[t]).item())]
        x_s = ddim_step(process, x, unip_average(known), t, s)
        new = x_s / alpha * q / (1 + q)  # E[x_0 | x_s]
        predicted.append(abs(x_s.item() - exact))
        corrected.append(abs(ddim_step(process, x, unic_average(known, new), t, s).item() - exact))
    assert math.log2(predicted[1] / predicted[0]) == pytest.approx(1, abs=0.15)
    assert math.log2(corrected[1] / corrected[0]) == pytest.approx(2, abs=0.15)


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("beta", [cosine_beta, linear_beta])
@pytest.mark.parametrize("name", SOLVERS)
def test_as_many_steps_as_times_visit_every_time_and_draw_the_gaussian(
    name: str, beta: Callable[[int], Tensor], dtype: torch.dtype
) -> None:
    """linear_beta(1000) leaves 6e-3 of the signal at T; the step to 0 takes sigma_1 from the deviation."""
    process, deviation = Process(beta(1000)), 0.5
    x = torch.tensor([-1.5, 0.2, 2.0], dtype=dtype).view(3, 1, 1, 1)
    drawn = SOLVERS[name](denoiser_of(process, [0.3], deviation), process, x, even(1000, 1000))
    torch.testing.assert_close(drawn.double(), 0.3 + deviation * x.double(), rtol=0.02, atol=0)


def test_unipc_evaluates_the_denoiser_once_at_each_time_but_0() -> None:
    for visited in ([1000, 0], [1000, 500, 0], even(1000, 1000)):
        times: list[int] = []

        def spy(x: Tensor, t: Tensor, times: list[int] = times) -> Tensor:
            times.append(int(t[0]))
            return x

        unipc(spy, Process(linear_beta(1000)), torch.randn(2, 1, 1, 1), visited)
        assert times == visited[:-1]


@pytest.mark.parametrize("name", ["dpm-solver", "heun", "unipc"])
def test_a_grid_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ends at t = 0"):
        SOLVERS[name](lambda x, t: x, Process(linear_beta(10)), torch.zeros(1, 1, 1, 1), [10, 5])


def test_heun_evaluates_the_denoiser_twice_a_step_but_in_that_from_T_and_in_the_last() -> None:
    process, asked = Process(linear_beta(1000)), []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        asked.append(int(t[0]))
        return x

    heun(spy, process, torch.randn(2, 1, 1, 1), [1000, 500, 10, 0])
    assert asked == [1000, 500, 10, 10]
