"""The variational bound against chains of one pixel that are integrated by brute force, and against Gaussian data."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from models.diffusion.bound import (
    borders,
    decoder_term,
    discretized_gaussian_log_likelihood,
    prior_term,
    step_term,
    variational_bound,
)
from models.diffusion.process import Process, linear_beta
from models.diffusion.samplers import Denoiser, ancestral_path

BETA = torch.tensor([0.01, 0.2, 0.3, 0.6], dtype=torch.float64)  # of t = 1 ... 4
ALPHA_BAR = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - BETA, 0)])
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1
both_clips = pytest.mark.parametrize("clip", [False, True])


def arbitrary(x: Tensor, t: Tensor) -> Tensor:
    """Depends on all it is given and, with this process, predicts x_0 on both sides of the clip."""
    time = t.view(-1, 1, 1, 1) / 4
    return 0.8 * x + 0.3 * torch.sin(3 * x + 5 * time) + 0.1 * time


def constant(process: Process, value: float) -> Denoiser:
    """Predicts the same x_0 whatever it sees, so that no term depends on the noise."""

    def eps(x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = process.alpha_bar[t].view(-1, 1, 1, 1)
        return (x - alpha_bar.sqrt() * value) / (1 - alpha_bar).sqrt()

    return eps


def pixel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def quadrature(points: int = 4001, end: float = 9.0) -> tuple[Tensor, Tensor]:
    """Values of a standard normal and their weights, which add up to one."""
    eps = torch.linspace(-end, end, points, dtype=torch.float64)
    return eps, Normal(0.0, 1.0).log_prob(eps).exp() * (eps[1] - eps[0])


def sampler_mean(x_t: Tensor, t: int, denoiser: Denoiser, clip: bool) -> Tensor:
    """Of p(x_t-1 | x_t), from the paper's Eq. 7 and Eq. 15 and the variances alone."""
    beta, now, before = BETA[t - 1], ALPHA_BAR[t], ALPHA_BAR[t - 1]
    eps = denoiser(pixel(x_t), torch.full((len(x_t),), t)).flatten()
    x_0 = (x_t - (1 - now).sqrt() * eps) / now.sqrt()
    x_0 = x_0.clamp(-1, 1) if clip else x_0
    return (before.sqrt() * beta * x_0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - now)


def sampler_deviation(t: int) -> float:
    return math.sqrt((1 - ALPHA_BAR[t - 1]) / (1 - ALPHA_BAR[t]) * BETA[t - 1])


def level_masses(mean: Tensor, deviation: float) -> Tensor:
    """The 256 probabilities of Gaussians integrated over the levels: 256 x the shape of `mean`."""
    inner = Normal(mean, deviation).cdf(((LEVELS[:-1] + LEVELS[1:]) / 2).view(-1, *[1] * mean.dim()))
    ends = torch.zeros(1, *mean.shape, dtype=mean.dtype)
    return torch.cat([ends, inner, ends + 1]).diff(dim=0)


@both_clips
@pytest.mark.parametrize("t", [2, 3, 4])
def test_a_steps_term_is_the_divergence_integrated_over_both_its_variables(t: int, clip: bool) -> None:
    """Of q(x_t-1 | x_t, x_0), by Bayes' rule on a grid of x_t-1, from p(x_t-1 | x_t), over a grid of x_t."""
    process = Process(BETA)
    x_t = torch.linspace(-7, 7, 701, dtype=torch.float64)
    before = torch.linspace(-9, 9, 3601, dtype=torch.float64)
    step = before[1] - before[0]
    x_0s = torch.tensor([-1.0, 0.1, 0.9], dtype=torch.float64)
    forward = Normal((1 - BETA[t - 1]).sqrt() * before, BETA[t - 1].sqrt()).log_prob(x_t[:, None])
    log_p = Normal(sampler_mean(x_t, t, arbitrary, clip), sampler_deviation(t)).log_prob(before[:, None]).T
    eps, weight = quadrature()
    for x_0 in x_0s:
        joint = Normal(ALPHA_BAR[t - 1].sqrt() * x_0, (1 - ALPHA_BAR[t - 1]).sqrt()).log_prob(before) + forward
        log_q = joint - torch.logsumexp(joint, 1, keepdim=True) - step.log()
        divergence = (log_q.exp() * (log_q - log_p)).sum(1) * step
        density = Normal(ALPHA_BAR[t].sqrt() * x_0, (1 - ALPHA_BAR[t]).sqrt()).log_prob(x_t).exp()
        expected = (density * divergence).sum() * (x_t[1] - x_t[0])
        times = torch.full((len(eps),), t)
        terms = step_term(arbitrary, process, x_0.expand(len(eps), 1, 1, 1), times, pixel(eps), clip)
        torch.testing.assert_close((weight * terms).sum(), expected, rtol=1e-4, atol=1e-6)


def test_the_prior_term_is_the_divergence_of_the_chains_end() -> None:
    x_0 = torch.rand(5, 2, 3, 3, dtype=torch.float64) * 2 - 1
    q = Normal(ALPHA_BAR[4].sqrt() * x_0, (1 - ALPHA_BAR[4]).sqrt())
    expected = kl_divergence(q, Normal(torch.zeros_like(x_0), torch.ones_like(x_0))).flatten(1).sum(1)
    torch.testing.assert_close(prior_term(Process(BETA), x_0), expected, rtol=1e-10, atol=1e-12)


@both_clips
def test_the_last_term_is_a_distribution_over_the_levels_of_the_second_steps_variance(clip: bool) -> None:
    """At any x_1 the 256 levels' probabilities are the Gaussian's, and sum to one; x_1 is held by the noise."""
    process = Process(BETA)
    for x_1 in (-1.2, -0.9, 0.0, 0.3, 1.1):
        eps = (x_1 - ALPHA_BAR[1].sqrt() * LEVELS) / (1 - ALPHA_BAR[1]).sqrt()
        nats = decoder_term(arbitrary, process, pixel(LEVELS), pixel(eps), clip)
        mean = sampler_mean(torch.tensor([x_1], dtype=torch.float64), 1, arbitrary, clip)
        likely = level_masses(mean[0], sampler_deviation(2))
        torch.testing.assert_close(nats.neg().exp(), likely, rtol=1e-4, atol=1e-9)
        assert nats.neg().exp().sum().item() == pytest.approx(1, abs=1e-6), "as nearly as float32 holds x_1"


def exact_bound(denoiser: Denoiser, process: Process, x_0: Tensor, clip: bool) -> Tensor:
    """The sum of all terms, each integrated over its noise."""
    eps, weight = quadrature(2001)
    tiled, noise = x_0.expand(len(eps), 1, 1, 1), pixel(eps)
    total = prior_term(process, pixel(x_0)).squeeze()
    for t in range(2, process.T + 1):
        total = total + (weight * step_term(denoiser, process, tiled, torch.full((len(eps),), t), noise, clip)).sum()
    return total + (weight * decoder_term(denoiser, process, tiled, noise, clip)).sum()


def chain_likelihood(denoiser: Denoiser, clip: bool) -> Tensor:
    """p(x_0) of all 256 levels: the sampler's density carried from N(0, 1) over a grid, step by step."""
    x = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    step = x[1] - x[0]
    density = Normal(0.0, 1.0).log_prob(x).exp()
    for t in (4, 3, 2):
        onward = Normal(sampler_mean(x, t, denoiser, clip), sampler_deviation(t)).log_prob(x[:, None]).exp()
        density = onward @ density * step
    return level_masses(sampler_mean(x, 1, denoiser, clip), sampler_deviation(2)) @ density * step


@both_clips
def test_the_bound_lies_above_the_chains_own_likelihood(clip: bool) -> None:
    process, likely = Process(BETA), chain_likelihood(arbitrary, clip)
    assert likely.sum().item() == pytest.approx(1, abs=1e-6)
    for level in (0, 30, 128, 200, 255):
        excess = exact_bound(arbitrary, process, LEVELS[level], clip) + likely[level].log()
        assert excess > 0.01, "of an arbitrary denoiser it is not tight"


def test_it_exceeds_the_likelihood_of_a_chain_that_forgets_by_the_prior_term_alone() -> None:
    """With a constant prediction c every path ends in the Gaussian at c, and for x_0 = c the steps lose nothing."""
    process = Process(BETA)
    for level in (0, 77, 255):
        denoiser = constant(process, LEVELS[level].item())
        likely = chain_likelihood(denoiser, clip=True)[level]
        excess = exact_bound(denoiser, process, LEVELS[level], clip=True) + likely.log()
        torch.testing.assert_close(excess, prior_term(process, pixel(LEVELS[level])).squeeze(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.5])
@pytest.mark.parametrize("T", [4, 40])
def test_for_gaussian_data_the_exact_denoiser_loses_just_what_its_variances_do(sigma: float, T: int) -> None:
    """E[L_T + L_1:T-1] = I(x_0; x_1) + KL(q(x_T) || N(0, 1)) + the steps' KL(q(x_t-1 | x_t) || p(x_t-1 | x_t)).

    The last are of equal means, and of the variances of a jointly Gaussian pair and beta tilde_t.
    """
    beta = linear_beta(T, 0.01, 0.3)
    process = Process(beta)
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - beta, 0)])
    variance = alpha_bar * sigma**2 + 1 - alpha_bar  # of x_t

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return pixel((1 - alpha_bar[t]).sqrt() / variance[t]) * x

    expected = 0.5 * torch.log(variance[1] / (1 - alpha_bar[1]))
    expected = expected + kl_divergence(Normal(0.0, variance[T].sqrt()), Normal(0.0, torch.ones(()).double()))
    for t in range(2, T + 1):
        # of x_t-1 given x_t = sqrt(1 - beta_t) x_t-1 + sqrt(beta_t) z
        truth = variance[t - 1] * beta[t - 1] / variance[t]
        ratio = truth / ((1 - alpha_bar[t - 1]) / (1 - alpha_bar[t]) * beta[t - 1])
        expected = expected + 0.5 * (ratio - 1 - ratio.log())

    values, weights = quadrature(121, 6.0)
    x_0, eps = (grid.flatten() for grid in torch.meshgrid(values, values, indexing="ij"))
    weight = torch.outer(weights, weights).flatten()
    total = (weight * prior_term(process, pixel(sigma * x_0))).sum()
    for t in range(2, T + 1):
        times = torch.full((len(x_0),), t)
        total = total + (weight * step_term(exact, process, pixel(sigma * x_0), times, pixel(eps), clip=False)).sum()
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-6)


def test_as_many_strata_as_times_are_the_plain_sum() -> None:
    """Each time once, with the noises in the documented order."""
    process, x_0 = Process(linear_beta(9, 0.01, 0.4)), torch.rand(3, 2, 4, 4, dtype=torch.float64) * 2 - 1
    terms = variational_bound(arbitrary, process, x_0, 8, torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(2)
    steps = []
    for t in range(2, 10):
        torch.randint(1, (3,), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator).double()
        steps.append(step_term(arbitrary, process, x_0, torch.full((3,), t), eps))
    last = torch.randn(x_0.shape, generator=generator).double()
    torch.testing.assert_close(terms["L_1:T-1"], torch.stack(steps).sum(0))
    torch.testing.assert_close(terms["L_0"], decoder_term(arbitrary, process, x_0, last))
    torch.testing.assert_close(terms["L_T"], prior_term(process, x_0))
    assert list(terms) == ["L_T", "L_1:T-1", "L_0"]


@pytest.mark.parametrize(
    ("T", "strata"), [(2, 1), (8, 1), (8, 7), (13, 5), (22, 20), (300, 20), (1000, 20), (1000, 999)]
)
def test_the_strata_cut_the_times_into_parts_that_grow(T: int, strata: int) -> None:
    lengths = [end - first for first, end in itertools.pairwise(borders(T, strata))]
    assert (borders(T, strata)[0], borders(T, strata)[-1], len(lengths)) == (2, T + 1, strata)
    assert min(lengths) >= 1
    assert all(after >= before - 1 for before, after in itertools.pairwise(lengths)), "but for rounding"
    assert strata < T - 1 or max(lengths) == 1


@pytest.mark.parametrize("T", [8, 13])
@pytest.mark.parametrize("strata", [1, 3, 5, 7])
def test_over_all_its_draws_the_estimate_is_the_sum(T: int, strata: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enumerated: a stratum's equally likely draws, over as many images as all their lengths divide."""
    lengths = [end - first for first, end in itertools.pairwise(borders(T, strata))]
    n = math.lcm(*lengths)
    process, x_0 = Process(linear_beta(T, 0.01, 0.4)), torch.full((n, 1, 1, 1), 0.6, dtype=torch.float64)
    denoiser = constant(process, -0.2)
    one, zero = x_0[:1], torch.zeros_like(x_0[:1])
    plain = torch.cat([step_term(denoiser, process, one, torch.tensor([t]), zero) for t in range(2, T + 1)]).sum()
    monkeypatch.setattr(torch, "randint", lambda high, size, **_: torch.arange(*size) % high)
    estimates = variational_bound(denoiser, process, x_0, strata, torch.Generator())["L_1:T-1"]
    torch.testing.assert_close(estimates.mean(), plain, rtol=1e-6, atol=0)


def test_the_bound_is_of_the_path_that_the_sampler_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the sampler's own step from t to t - 1, its mean (drawn without noise) and its deviation (noise of one)."""
    process, x_0 = Process(BETA), torch.rand(6, 1, 3, 3, dtype=torch.float64) * 2 - 1
    eps = torch.randn_like(x_0)
    for t in (2, 3, 4):
        times = torch.full((6,), t)
        x_t = process.q_sample(x_0, times, eps)

        def jump(noise: float, t: int = t, x_t: Tensor = x_t) -> Tensor:
            fixed: Callable[..., Tensor] = lambda shape, **_: torch.full(shape, noise, dtype=torch.float64)  # noqa: E731
            with monkeypatch.context() as patched:
                patched.setattr(torch, "randn", fixed)
                *_, (_, x) = ancestral_path(arbitrary, process, x_t, [t, t - 1], torch.Generator())
            return x

        mean, deviation = jump(0.0), (jump(1.0) - jump(0.0)).mean()
        q_mean, q_variance = process.posterior(x_t, x_0, t, t - 1)
        expected = kl_divergence(Normal(q_mean, q_variance**0.5), Normal(mean, deviation)).flatten(1).sum(1)
        torch.testing.assert_close(step_term(arbitrary, process, x_0, times, eps), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_discretised_gaussian_is_the_cumulative_distribution(dtype: Any) -> None:
    """Narrow to wide; far in the tails, where differences of probabilities are zero, by Mills' ratio."""
    x = LEVELS.to(dtype).view(-1, 1, 1, 1).expand(256, 2, 1, 1)
    for mean in (-1.0, -0.37, 0.0, 0.5, 1.0):
        for deviation in (0.003, 0.02, 0.5, 10.0):
            mu = torch.full_like(x, mean)
            log_p = discretized_gaussian_log_likelihood(x, mu, torch.tensor(math.log(deviation), dtype=dtype))
            expected = 2 * level_masses(torch.tensor(mean).double(), deviation).log()
            seen = expected > -40
            torch.testing.assert_close(log_p.double()[seen], expected[seen], rtol=2e-3, atol=2e-3)
            assert (log_p / 2).double().exp().sum().item() == pytest.approx(1, abs=1e-4)
    far = discretized_gaussian_log_likelihood(x[-2:-1], -torch.ones_like(x[-2:-1]), torch.tensor(-5.0, dtype=dtype))
    z = (x[-2, 0].item() + 1 - 1 / 255) * math.exp(5)  # the interval's near end, which holds nearly all its mass
    assert far.item() == pytest.approx(2 * (-0.5 * z**2 - math.log(z * math.sqrt(2 * math.pi)) - z**-2), rel=1e-5)
