"""The kernels' closed forms against Bayes' rule on enumerated states, and their bounds against the likelihood."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from models.diffusion.bound import discretized_gaussian_log_likelihood
from models.diffusion.kernels import KERNELS, BinomialKernel, GaussianKernel, Kernel

T = 5
GAUSSIAN, BINOMIAL = GaussianKernel(T), BinomialKernel(T)


def beta(t: int) -> float:
    return 1 / (T - t + 1)


def times(t: int, n: int) -> Tensor:
    return torch.full((n,), t)


def bits(pixels: int) -> Tensor:
    """All 2^pixels images of the values -1 and 1: N x 1 x 1 x pixels, float64."""
    states = list(itertools.product([-1.0, 1.0], repeat=pixels))
    return torch.tensor(states, dtype=torch.float64).view(-1, 1, 1, pixels)


def coin(mean: Tensor, value: Tensor) -> Tensor:
    """p(value) of values -1 and 1 with this mean, the product over an image."""
    return ((1 + mean * value) / 2).flatten(1).prod(1)


@pytest.mark.parametrize("t", [1, 3, 5])
def test_gaussian_images_have_the_moments_of_the_chain(t: int) -> None:
    """Step by step x_t = sqrt(1 - beta_t) x_t-1 + sqrt(beta_t) z: the mean's factor and the variance."""
    factor, variance = 1.0, 0.0
    for s in range(1, t + 1):
        factor, variance = factor * (1 - beta(s)) ** 0.5, (1 - beta(s)) * variance + beta(s)
    x_0, noise = torch.randn(2, 4, 1, 2, 2, dtype=torch.float64)
    expected = factor * x_0 + variance**0.5 * noise
    torch.testing.assert_close(GAUSSIAN.diffuse(x_0, times(t, 4), noise), expected)


@pytest.mark.parametrize("t", [1, 3, 5])
def test_bits_have_the_means_of_the_chain(t: int) -> None:
    """Each step keeps a bit's mean to 1 - beta_t; five standard errors, and the end is a fair coin."""
    mean = 1.0
    for s in range(1, t + 1):
        mean *= 1 - beta(s)
    n = 40_000
    for bit in (-1.0, 1.0):
        drawn = BINOMIAL.diffuse(torch.full((n, 1, 1, 1), bit), times(t, n), torch.rand(n, 1, 1, 1))
        assert set(drawn.unique().tolist()) <= {-1.0, 1.0}
        assert drawn.mean().item() == pytest.approx(bit * mean, abs=5 / n**0.5)
    assert mean == pytest.approx(1 - t / T, abs=1e-12)


@pytest.mark.parametrize("kernel", [GAUSSIAN, BINOMIAL])
def test_at_time_0_is_the_image_and_at_T_nothing_of_it(kernel: Kernel) -> None:
    x_0, noise = bits(3), kernel.draw(8, 1, 1, 3, dtype=torch.float64)
    assert torch.equal(kernel.diffuse(x_0, times(0, 8), noise), x_0)
    assert torch.equal(kernel.diffuse(x_0, times(T, 8), noise), kernel.diffuse(-x_0, times(T, 8), noise))


@pytest.mark.parametrize("t", [2, 3, 5])
def test_the_gaussian_posterior_is_bayes_rule_on_a_fine_grid(t: int) -> None:
    x_0, x_t = 0.4, -0.9
    u = torch.linspace(-8, 8, 40_001, dtype=torch.float64)
    kept = 1 - (t - 1) / T
    joint = Normal(kept**0.5 * x_0, (1 - kept) ** 0.5).log_prob(u)
    joint += Normal((1 - beta(t)) ** 0.5 * u, beta(t) ** 0.5).log_prob(torch.tensor(x_t, dtype=torch.float64))
    p = joint.softmax(0)
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    mean, variance = GAUSSIAN.posterior(x_0 * one, x_t * one, times(t, 1))
    assert mean.item() == pytest.approx((p * u).sum().item(), abs=1e-6)
    assert variance.item() == pytest.approx((p * u.square()).sum().item() - mean.item() ** 2, abs=1e-6)


@pytest.mark.parametrize("t", range(1, T + 1))
def test_the_binomial_posterior_is_bayes_rule(t: int) -> None:
    for x_0, x_t in itertools.product([-1.0, 1.0], repeat=2):
        kept = 1 - (t - 1) / T
        one, other = ((1 + (1 - beta(t)) * x_t * u) * (1 + kept * x_0 * u) for u in (1, -1))
        state = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        logit = BINOMIAL.posterior(x_0 * state, x_t * state, times(t, 1))
        assert logit.sigmoid().item() == pytest.approx(one / (one + other), abs=1e-12)


@pytest.mark.parametrize("t", [2, 4, 5])
def test_the_gaussian_divergence_is_that_of_two_gaussians(t: int) -> None:
    x_0, x_t = torch.randn(2, 3, 2, 2, 2, dtype=torch.float64)
    output = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    mean, log_variance = GAUSSIAN.parameters(x_t, times(t, 3), output)
    exact_mean, exact_variance = GAUSSIAN.posterior(x_0, x_t, times(t, 3))
    expected = kl_divergence(
        Normal(exact_mean, exact_variance.sqrt().expand_as(x_0)), Normal(mean, (log_variance / 2).exp())
    )
    torch.testing.assert_close(GAUSSIAN.divergence(x_0, x_t, times(t, 3), output), expected.flatten(1).sum(1))


def test_the_divergences_of_the_first_step_are_negative_log_likelihoods() -> None:
    """Also in a batch with other times, whose gradients stay finite."""
    x_0 = torch.randint(0, 256, (4, 1, 2, 3)) / 127.5 - 1
    output = torch.randn(4, 2, 2, 3, requires_grad=True)
    x_1 = GAUSSIAN.diffuse(x_0, times(1, 4), torch.randn(x_0.shape))
    mean, log_variance = GAUSSIAN.parameters(x_1, times(1, 4), output)
    expected = -discretized_gaussian_log_likelihood(x_0, mean, log_variance / 2)
    t = torch.tensor([1, 3, 1, 5])
    actual = GAUSSIAN.divergence(x_0, x_1, t, output)
    torch.testing.assert_close(actual[[0, 2]], expected[[0, 2]])
    actual.sum().backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()

    states = bits(2)
    logits = torch.randn(4, 1, 1, 2, dtype=torch.float64)
    x_1 = states.flip(0)
    p = (BINOMIAL.forward_logit(x_1, times(1, 4)) + logits).sigmoid()
    expected = -torch.where(states > 0, p, 1 - p).log().flatten(1).sum(1)
    torch.testing.assert_close(BINOMIAL.divergence(states, x_1, times(1, 4), logits), expected)


def test_zero_outputs_give_the_variance_of_the_forward_step_and_half_of_the_size_is_mu() -> None:
    x_t = torch.randn(2, 3, 1, 1)
    for t in range(1, T + 1):
        mean, log_variance = GAUSSIAN.parameters(x_t, times(t, 2), torch.zeros(2, 6, 1, 1))
        torch.testing.assert_close(log_variance.exp(), torch.full_like(x_t, beta(t)))
        torch.testing.assert_close(mean, (1 - beta(t)) ** 0.5 * x_t)


@pytest.mark.parametrize("t", [2, 3, 4])
def test_the_size_of_a_gaussian_output_is_that_of_a_velocity(t: int) -> None:
    """Outputs of an exact posterior's mean are -sqrt(alpha_bar_t-1) (sqrt(alpha_bar_t) eps - sqrt(t / T) x_0)."""
    x_0, eps = torch.randn(2, 5, 1, 2, 2, dtype=torch.float64)
    x_t = GAUSSIAN.diffuse(x_0, times(t, 5), eps)
    exact, _ = GAUSSIAN.posterior(x_0, x_t, times(t, 5))
    output = -((1 - (t - 1) / T) ** 0.5) * ((1 - t / T) ** 0.5 * eps - (t / T) ** 0.5 * x_0)
    mean, _ = GAUSSIAN.parameters(x_t, times(t, 5), torch.cat([output, torch.zeros_like(output)], dim=1))
    torch.testing.assert_close(mean, exact)


def test_bits_are_those_above_the_middle_level() -> None:
    levels = torch.arange(256).view(-1, 1, 1, 1)
    states = BINOMIAL.states(levels / 127.5 - 1)
    assert torch.equal(states, torch.where(levels >= 128, 1.0, -1.0))
    assert torch.equal(GAUSSIAN.states(states), states)


@pytest.mark.parametrize("name", KERNELS)
def test_draws_of_a_reverse_step_have_its_moments(name: str) -> None:
    kernel, n, t = KERNELS[name](T), 40_000, 3
    x_t = torch.ones(n, 1, 1, 1)
    output = torch.full((n, kernel.outputs, 1, 1), 0.4)
    drawn = kernel.reverse(x_t, times(t, n), output, kernel.draw(x_t.shape))
    if isinstance(kernel, GaussianKernel):
        mean, log_variance = kernel.parameters(x_t[:1], times(t, 1), output[:1])
        expected, variance = mean.item(), log_variance.exp().item()
        last, _ = kernel.parameters(x_t, times(1, n), output)
        assert torch.equal(kernel.reverse(x_t, times(1, n), output, torch.randn(x_t.shape)), last), "the mean"
    else:
        expected = math.tanh((math.log(2 * (T - t) + 1) + 0.4) / 2)
        variance = 1 - expected**2
    assert drawn.mean().item() == pytest.approx(expected, abs=5 * (variance / n) ** 0.5)
    assert drawn.var().item() == pytest.approx(variance, rel=0.05)


class Enumerated:
    """A binomial model of few pixels with a table for a network: everything by sums over all of its states."""

    def __init__(self, pixels: int, T: int) -> None:
        self.kernel, self.states = BinomialKernel(T), bits(pixels)
        self.n, self.pixels = len(self.states), pixels
        self.table = 1.5 * torch.randn(T + 1, self.n, 1, 1, pixels, dtype=torch.float64)  # outputs, by t and state

    def step(self, t: int) -> Tensor:
        """p(x_t-1 | x_t): from the row's state to the column's."""
        logit = self.kernel.forward_logit(self.states, times(t, self.n)) + self.table[t]
        mean = 2 * logit.sigmoid() - 1
        return torch.stack([coin(mean, state.expand_as(mean)) for state in self.states[:, None]], dim=1)

    def model(self) -> Tensor:
        """p(x_0) for every state."""
        p = torch.full((self.n,), 0.5**self.pixels, dtype=torch.float64)
        for t in range(self.kernel.T, 0, -1):
            p = p @ self.step(t)
        return p

    def bound(self) -> Tensor:
        """The variational bound for every x_0, in nats, with sums over x_t for its expectations."""
        total = torch.zeros(self.n, dtype=torch.float64)
        for t in range(1, self.kernel.T + 1):
            kept = 1 - t / self.kernel.T
            for k in range(self.n):
                x_t = self.states[k].expand_as(self.states)
                q = coin(kept * self.states, x_t)
                output = self.table[t, k].expand_as(self.states)
                total += q * self.kernel.divergence(self.states, x_t, times(t, self.n), output)
        return total


@pytest.mark.parametrize("T", [2, 3, 7])
@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_the_models_probabilities_sum_to_one_and_the_bound_is_above_their_logarithms(pixels: int, T: int) -> None:
    model = Enumerated(pixels, T)
    p = model.model()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert p.min() > 0
    assert (model.bound() + p.log() > 1e-3).all(), "strictly, for outputs that no exact reversal has"


@pytest.mark.parametrize("T", [2, 3, 7])
def test_the_bound_is_the_likelihood_where_the_reverse_process_is_exact(T: int) -> None:
    """Independent bits of unequal chances: their reverse process has independent bits too, by Bayes' rule."""
    model = Enumerated(2, T)
    chance = torch.tensor([0.3, 0.85], dtype=torch.float64)
    mean = 2 * chance - 1
    for t in range(1, T + 1):
        # q(x_t-1 = u) of all data, against what the forward step says of a fair coin
        model.table[t] = (2 * torch.atanh((1 - (t - 1) / T) * mean)).expand(model.n, 1, 1, 2)
    expected = coin(mean.expand_as(model.states), model.states)
    torch.testing.assert_close(model.model(), expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(model.bound(), -expected.log(), rtol=1e-10, atol=0)


def test_the_gaussian_bound_is_the_likelihood_where_the_reverse_process_is_exact() -> None:
    """Images N(0, 1), whose diffusion is N(0, 1) at all times; the last step as a density, by its expectation."""
    x_0 = 0.7
    nats = Normal(0.0, beta(1) ** 0.5).entropy().item()  # -E log q(x_0 | x_1) at its own mean ...
    # ... plus what x_1 around sqrt(1 - beta) x_0 says of x_0: E (x_0 - sqrt(1 - beta) x_1)^2
    spread = (1 - (1 - beta(1))) ** 2 * x_0**2 + (1 - beta(1)) * beta(1)
    nats += 0.5 * (spread / beta(1) - 1)
    n = 200_000
    x = torch.full((n, 1, 1, 1), x_0, dtype=torch.float64)
    for t in range(2, T + 1):
        x_t = GAUSSIAN.diffuse(x, times(t, n), torch.randn(x.shape, dtype=torch.float64))
        # zero outputs are that process: mean sqrt(1 - beta_t) x_t, variance beta_t
        nats += GAUSSIAN.divergence(x, x_t, times(t, n), torch.zeros(n, 2, 1, 1, dtype=torch.float64)).mean().item()
    assert nats == pytest.approx(-Normal(0.0, 1.0).log_prob(torch.tensor(x_0)).item(), abs=0.01)
