"""The forward process: its closed form against its chain, its posterior against Bayes' rule and against diffusers."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.diffusion.process import Process, cosine_beta, linear_beta, sigma_beta, vp_beta

T = 1000
STEPS = [(1, 0), (2, 1), (10, 3), (500, 499), (500, 0), (1000, 999), (1000, 400), (1000, 0)]
steps = pytest.mark.parametrize(("t", "s"), STEPS)


@pytest.fixture(scope="module")
def process() -> Process:
    return Process(linear_beta(T))


def one(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def test_the_schedule_is_the_papers() -> None:
    """Ho et al. 2020, Section 4: from 1e-4 to 0.02 in equal steps."""
    beta = linear_beta(T)
    assert beta.dtype == torch.float64
    assert (beta[0].item(), beta[-1].item(), len(beta)) == (1e-4, 0.02, T)
    torch.testing.assert_close(beta.diff(), torch.full((T - 1,), (0.02 - 1e-4) / (T - 1)).double(), rtol=1e-6, atol=0)


def test_the_cosine_schedule_is_the_papers() -> None:
    """Nichol and Dhariwal 2021, Eq. 17: alpha_bar is f(t) / f(0) but for the last step, whose variance is cut off."""
    alpha_bar = Process(cosine_beta(T)).alpha_bar
    f = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T)]
    torch.testing.assert_close(alpha_bar[:-1], torch.tensor(f, dtype=torch.float64) / f[0], rtol=1e-9, atol=0)
    assert alpha_bar[-1].item() == pytest.approx(alpha_bar[-2].item() * 0.001)


def test_the_cosine_schedule_is_diffusers() -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.DDPMScheduler(T, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    torch.testing.assert_close(Process(cosine_beta(T)).alpha_bar[1:].float(), theirs, rtol=2e-4, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_the_variance_preserving_schedule_ends_where_it_ends_for_any_number_of_steps(count: int) -> None:
    """Song et al. 2021, Appendix C: beta rises linearly from 0.1 to 20 in time 0.001 to 1; fewer steps skip times."""
    alpha_bar, fine = Process(vp_beta(count)).alpha_bar, Process(vp_beta(100_000 * count)).alpha_bar
    torch.testing.assert_close(alpha_bar, fine[::100_000], rtol=1e-9, atol=0)
    integral = 0.1 * (1 - 0.001) + 19.9 * (1 - 0.001**2) / 2  # of beta(t) = 0.1 + 19.9 t
    assert alpha_bar[-1].item() == pytest.approx(math.exp(-integral), rel=1e-9)


def test_the_variance_preserving_steps_are_small_where_they_are_many() -> None:
    """Variances of a fine discretisation are beta(t) dt, its definition."""
    fine = vp_beta(10_000)
    time = 0.001 + 0.999 * (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    torch.testing.assert_close(fine, (0.1 + 19.9 * time) * 0.999 / 10_000, rtol=2e-3, atol=0)


@pytest.mark.parametrize("schedule", [linear_beta, cosine_beta])
def test_the_signal_to_noise_ratio_is_that_of_the_two_factors(schedule: Callable[[int], Tensor]) -> None:
    alpha_bar = torch.cumprod(1 - schedule(T), 0)
    ratios = Process(schedule(T)).snr(torch.arange(1, T + 1))
    torch.testing.assert_close(ratios.double(), alpha_bar / (1 - alpha_bar), rtol=1e-5, atol=0)


def test_time_zero_is_the_data(process: Process) -> None:
    assert process.alpha_bar[0] == 1
    assert len(process.alpha_bar) == T + 1
    x_0, eps = torch.randn(2, 3, 1, 4, 4)
    assert torch.equal(process.q_sample(x_0, torch.zeros(3, dtype=torch.long), eps), x_0)


def test_the_closed_form_is_the_chain_of_single_steps(process: Process) -> None:
    """q(x_t | x_t-1) = N(sqrt(1 - beta_t) x_t-1, beta_t), carried through T steps as a mean's factor and a variance."""
    factor, variance = 1.0, 0.0
    for t, beta in enumerate(linear_beta(T).tolist(), start=1):
        factor, variance = math.sqrt(1 - beta) * factor, (1 - beta) * variance + beta
        assert process.alpha_bar[t].sqrt().item() == pytest.approx(factor, rel=1e-12)
        assert 1 - process.alpha_bar[t].item() == pytest.approx(variance, rel=1e-12)
        time = torch.tensor([t])
        assert process.q_sample(one(1), time, one(0)).item() == pytest.approx(factor, rel=1e-6)
        assert process.q_sample(one(0), time, one(1)).item() ** 2 == pytest.approx(variance, rel=1e-6)


def test_the_closed_form_is_the_chain_by_simulation() -> None:
    """A short, steep process, step by step with fresh noise; tolerances are four standard errors."""
    n, beta = 100_000, torch.tensor([0.05, 0.3, 0.2, 0.4])
    process, x_0 = Process(beta), 1.7
    x = torch.full((n,), x_0)
    for value in beta:
        x = (1 - value).sqrt() * x + value.sqrt() * torch.randn(n)
    mean = process.q_sample(one(x_0), torch.tensor([4]), one(0)).item()
    variance = process.q_sample(one(0), torch.tensor([4]), one(1)).item() ** 2
    assert x.mean().item() == pytest.approx(mean, abs=4 * (variance / n) ** 0.5)
    assert x.var().item() == pytest.approx(variance, abs=4 * variance * (2 / n) ** 0.5)


def test_each_image_of_a_batch_has_its_own_time(process: Process) -> None:
    x_0, eps = torch.randn(2, 4, 2, 3, 5)
    t = torch.tensor([1000, 1, 0, 317])
    together = process.q_sample(x_0, t, eps)
    for i in range(4):
        assert torch.equal(together[i : i + 1], process.q_sample(x_0[i : i + 1], t[i : i + 1], eps[i : i + 1]))


def test_tables_stay_in_float64_and_out_of_checkpoints() -> None:
    process = Process(linear_beta(10)).to(torch.bfloat16)
    assert process.alpha_bar.dtype == torch.float64
    assert process.state_dict() == {}
    assert list(process.parameters()) == []


@pytest.mark.parametrize("t", [1, 2, 37, 500, 999, 1000])
def test_predictions_undo_q_sample_and_each_other(process: Process, t: int) -> None:
    x_0, eps = torch.randn(2, 5, 1, 3, 3, dtype=torch.float64)
    x_t = process.q_sample(x_0, torch.full((5,), t), eps)  # its coefficients are float32
    lost = 1e-6 / process.alpha_bar[t].sqrt().item() + 1e-6 / (1 - process.alpha_bar[t]).sqrt().item()
    torch.testing.assert_close(process.predict_x_0(x_t, t, eps), x_0, rtol=0, atol=lost)
    torch.testing.assert_close(process.predict_eps(x_t, t, x_0), eps, rtol=0, atol=lost)
    torch.testing.assert_close(process.predict_eps(x_t, t, process.predict_x_0(x_t, t, eps)), eps, rtol=0, atol=1e-10)
    torch.testing.assert_close(process.predict_x_0(x_t, t, process.predict_eps(x_t, t, x_0)), x_0, rtol=0, atol=1e-10)


def coefficients(process: Process, t: int, s: int) -> tuple[float, float, float]:
    """The posterior's mean as (factor of x_0, factor of x_t), and its variance."""
    of_x_0, variance = process.posterior(one(0), one(1), t, s)
    of_x_t, again = process.posterior(one(1), one(0), t, s)
    assert variance == again
    both, _ = process.posterior(one(2), one(-3), t, s)
    assert both.item() == pytest.approx(-3 * of_x_0.item() + 2 * of_x_t.item(), rel=1e-9)
    return of_x_0.item(), of_x_t.item(), variance


@steps
def test_the_posterior_is_bayes_rule(process: Process, t: int, s: int) -> None:
    """q(x_s | x_t, x_0) is the product of q(x_s | x_0) and q(x_t | x_s) as Gaussians in x_s: precisions add."""
    of_x_0, of_x_t, variance = coefficients(process, t, s)
    if s == 0:
        assert variance == 0
        assert (of_x_0, of_x_t) == (pytest.approx(1, rel=1e-12), 0), "x_0 itself"
        return
    beta = linear_beta(T)[s:t]  # of the steps s + 1 ... t
    alpha = torch.prod(1 - beta).item()
    alpha_bar_s = torch.prod(1 - linear_beta(T)[:s]).item()
    prior, likelihood = 1 / (1 - alpha_bar_s), alpha / (1 - alpha)
    assert variance == pytest.approx(1 / (prior + likelihood), rel=1e-9)
    assert of_x_0 == pytest.approx(variance * prior * math.sqrt(alpha_bar_s), rel=1e-9)
    assert of_x_t == pytest.approx(variance * likelihood / math.sqrt(alpha), rel=1e-9)


@steps
def test_the_posterior_composes_with_the_process(process: Process, t: int, s: int) -> None:
    """Averaged over x_t ~ q(x_t | x_0), q(x_s | x_t, x_0) is q(x_s | x_0), in mean and variance."""
    of_x_0, of_x_t, variance = coefficients(process, t, s)
    alpha_bar_t, alpha_bar_s = process.alpha_bar[t].item(), process.alpha_bar[s].item()
    assert of_x_0 + of_x_t * math.sqrt(alpha_bar_t) == pytest.approx(math.sqrt(alpha_bar_s), rel=1e-12)
    assert variance + of_x_t**2 * (1 - alpha_bar_t) == pytest.approx(1 - alpha_bar_s, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("t", "r", "s"), [(1000, 500, 20), (50, 3, 2), (3, 2, 1)])
def test_two_steps_of_the_posterior_are_one_longer_step(process: Process, t: int, r: int, s: int) -> None:
    long_x_0, long_x_t, long_variance = coefficients(process, t, s)
    first_x_0, first_x_t, first_variance = coefficients(process, t, r)
    second_x_0, second_x_t, second_variance = coefficients(process, r, s)
    assert second_x_0 + second_x_t * first_x_0 == pytest.approx(long_x_0, rel=1e-9)
    assert second_x_t * first_x_t == pytest.approx(long_x_t, rel=1e-9)
    assert second_variance + second_x_t**2 * first_variance == pytest.approx(long_variance, rel=1e-9)


def test_single_steps_are_diffusers_ddpm(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and variance at all 1000 times, at float64 tables of diffusers' own arithmetic; its index is t - 1."""
    scheduling = pytest.importorskip("diffusers.schedulers.scheduling_ddpm")
    scheduler = scheduling.DDPMScheduler(
        num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", variance_type="fixed_small",
        clip_sample=False,
    )  # fmt: skip
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), process.alpha_bar[1:], rtol=1e-4, atol=0)
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64), 0)
    noise = [0.0]
    monkeypatch.setattr(scheduling, "randn_tensor", lambda shape, **_: torch.full(shape, noise[0]).double())
    x_t, eps = torch.randn(2, 2, 1, 3, 3, dtype=torch.float64)
    for t, index in zip(range(1, T + 1), itertools.count(), strict=False):
        mean, variance = process.posterior(x_t, process.predict_x_0(x_t, t, eps), t, t - 1)
        noise[0] = 0.0
        theirs = scheduler.step(eps, index, x_t).prev_sample
        torch.testing.assert_close(mean, theirs, rtol=1e-9, atol=1e-9)
        noise[0] = 1.0
        deviation = scheduler.step(eps, index, x_t).prev_sample - theirs
        torch.testing.assert_close(torch.full_like(deviation, variance**0.5), deviation, rtol=1e-6, atol=1e-9)


def test_a_process_of_noise_levels_is_the_variance_exploding_one_in_other_units() -> None:
    """x_t = y_t / sqrt(1 + sigma_t^2), y_t = x_0 + sigma_t eps, at each of the levels."""
    sigmas = torch.linspace(0.01, 60, 40, dtype=torch.float64)
    process = Process(sigma_beta(sigmas))
    torch.testing.assert_close((-process.half_log_snr[1:]).exp(), sigmas, rtol=1e-11, atol=0)
    x_0, eps = torch.randn(2, 40, 1, 2, 2)
    sigma = sigmas.float().view(-1, 1, 1, 1)
    expected = (x_0 + sigma * eps) / (1 + sigma.square()).sqrt()
    torch.testing.assert_close(process.q_sample(x_0, torch.arange(1, 41), eps), expected)


def test_the_noise_levels_of_a_process_give_its_variances_again() -> None:
    beta = cosine_beta(50)
    sigmas = (-Process(beta).half_log_snr[1:]).exp()
    torch.testing.assert_close(sigma_beta(sigmas), beta, rtol=1e-9, atol=1e-12)
