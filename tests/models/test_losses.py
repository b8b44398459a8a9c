"""Losses against torch.distributions, against sums over all outcomes, and against closed forms."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from models.losses import (
    bits_per_dim,
    discretized_logistic_log_likelihood,
    discriminator_non_saturating,
    generator_non_saturating,
    gradient_penalty,
    kl_to_standard_normal,
    relativistic,
)

MEANS = (-1.5, -1.0, -0.999, -0.31, 0.0, 1 / 255, 0.6, 1.0, 2.0)
LOG_SCALES = (-12.0, -7.0, -5.5, -4.0, -2.0, 0.0, 1.5)


def levels(dtype: torch.dtype = torch.float64) -> Tensor:
    """The 256 values of a pixel, as 256 images of one pixel."""
    return (torch.arange(256).to(dtype) / 127.5 - 1).view(256, 1, 1, 1)


def pixel_log_p(mean: float, log_scale: float, dtype: torch.dtype = torch.float64) -> Tensor:
    x = levels(dtype)
    return discretized_logistic_log_likelihood(x, torch.full_like(x, mean), torch.tensor(log_scale, dtype=dtype))


def test_kl_is_that_of_torch_distributions() -> None:
    mean = 3 * torch.randn(50, 7, dtype=torch.float64)
    log_variance = 2 * torch.randn(50, 7, dtype=torch.float64)
    q = Normal(mean, torch.exp(0.5 * log_variance))
    p = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(
        kl_to_standard_normal(mean, log_variance), kl_divergence(q, p).sum(1), rtol=1e-12, atol=0
    )


def test_kl_vanishes_at_the_prior_and_only_there() -> None:
    zero = torch.zeros(1, 3, dtype=torch.float64)
    assert kl_to_standard_normal(zero, zero).item() == 0
    for moved in (-0.01, 0.01):
        assert kl_to_standard_normal(zero + moved, zero).item() > 0
        assert kl_to_standard_normal(zero, zero + moved).item() > 0


@pytest.mark.parametrize("log_scale", LOG_SCALES)
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_probabilities_of_a_pixels_256_levels_sum_to_one(mean: float, log_scale: float, dtype: torch.dtype) -> None:
    """Up to what a small scale makes of the rounding of the edge that two neighbours share, each computing it apart."""
    tolerance = torch.finfo(dtype).eps * (500 + 2 * math.exp(-log_scale))
    log_p = pixel_log_p(mean, log_scale, dtype)
    assert log_p.dtype == dtype
    assert log_p.exp().double().sum().item() == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize("log_scale", [-5.5, -4.0, -2.0, 0.0, 1.5])
@pytest.mark.parametrize("mean", [-1.0, -0.31, 0.0, 0.6, 1.0])
def test_a_level_has_the_mass_between_its_neighbours_midpoints(mean: float, log_scale: float) -> None:
    """ReferenceSet the difference of the logistic's distribution function, where that difference keeps its digits."""
    edges = (torch.arange(257, dtype=torch.float64) - 0.5) / 127.5 - 1
    edges[0], edges[-1] = -math.inf, math.inf
    cdf = torch.sigmoid((edges - mean) / math.exp(log_scale))
    mass = cdf.diff()
    kept = mass > 1e-10
    assert kept.sum() > 3
    torch.testing.assert_close(pixel_log_p(mean, log_scale)[kept], mass.log()[kept], rtol=0, atol=1e-5)
    torch.testing.assert_close(pixel_log_p(mean, log_scale).exp(), mass, rtol=0, atol=1e-13)


def test_the_likelihood_is_symmetric_about_grey() -> None:
    """Negatives have the likelihood of positives, with both tails: p(-x | -mean) = p(x | mean)."""
    for mean in MEANS:
        torch.testing.assert_close(pixel_log_p(mean, -3.0), pixel_log_p(-mean, -3.0).flip(0), rtol=1e-9, atol=1e-9)


def test_an_images_likelihood_is_the_product_of_its_pixels() -> None:
    x = torch.randint(0, 256, (5, 3, 4, 2)).double() / 127.5 - 1
    mean, log_scale = torch.randn_like(x), torch.tensor(-2.0, dtype=torch.float64)
    pixels = [
        discretized_logistic_log_likelihood(x.view(-1, 1, 1, 1), mean.view(-1, 1, 1, 1), log_scale).view(5, -1).sum(1)
    ]
    torch.testing.assert_close(discretized_logistic_log_likelihood(x, mean, log_scale), pixels[0])
    broadcast = log_scale.expand(1, 3, 1, 1)
    torch.testing.assert_close(discretized_logistic_log_likelihood(x, mean, broadcast), pixels[0])


@pytest.mark.parametrize("log_scale", [-30.0, -15.0, -7.0, 0.0, 7.0])
@pytest.mark.parametrize("mean", [-50.0, -1.0, 0.3, 1.0, 50.0])
def test_gradients_stay_finite_at_extremes_and_point_at_the_data(mean: float, log_scale: float) -> None:
    """In float32, where an unguarded log of a difference is -inf and its gradient NaN."""
    x = levels(torch.float32)
    means = torch.full_like(x, mean).requires_grad_()
    scale = torch.tensor(log_scale, requires_grad=True)
    log_p = discretized_logistic_log_likelihood(x, means, scale)
    assert log_p.isfinite().all()
    log_p.sum().backward()
    assert means.grad is not None
    assert scale.grad is not None
    assert means.grad.isfinite().all()
    assert scale.grad.isfinite()
    inner = slice(1, 255)  # the outermost levels take whole tails, so beyond them nothing is left to gain
    uphill = means.grad[inner].sign() * (x - mean)[inner].sign()
    assert (uphill >= 0).all()
    if abs(mean) > 1:
        assert (means.grad[inner] != 0).all(), "a mean far outside is still pulled back"


def test_gradients_are_those_of_finite_differences() -> None:
    x = levels()[::15]
    mean = torch.linspace(-1.2, 1.2, len(x), dtype=torch.float64).view_as(x).requires_grad_()
    log_scale = torch.tensor(-2.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, s: discretized_logistic_log_likelihood(x, m, s), (mean, log_scale))


def test_the_uniform_distribution_over_256_levels_has_8_bits() -> None:
    dimensions = 3 * 5 * 7
    nats = torch.tensor([dimensions * math.log(256), 0.0], dtype=torch.float64)
    torch.testing.assert_close(bits_per_dim(nats, dimensions), torch.tensor([8.0, 0.0], dtype=torch.float64))


def test_gan_losses_are_binary_cross_entropies() -> None:
    real, fake = 30 * torch.randn(2, 64, dtype=torch.float64)
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(discriminator_non_saturating(real, fake), bce(real, ones) + bce(fake, zeros))
    torch.testing.assert_close(generator_non_saturating(fake), bce(fake, ones))


def test_an_undecided_discriminator_is_at_the_games_equilibrium() -> None:
    undecided = torch.zeros(10)
    assert discriminator_non_saturating(undecided, undecided).item() == pytest.approx(math.log(4))
    assert generator_non_saturating(undecided).item() == pytest.approx(math.log(2))


def test_the_generators_gradient_does_not_saturate() -> None:
    """Where the discriminator is sure of a fake, the gradient is -1, and log(1 - D)'s would have been 0."""
    fake = torch.tensor([-40.0], requires_grad=True)
    generator_non_saturating(fake).backward()
    assert fake.grad is not None
    assert fake.grad.item() == pytest.approx(-1)


def test_equal_logits_have_the_relativistic_loss_log_2() -> None:
    logits = 50 * torch.randn(9, dtype=torch.float64)
    torch.testing.assert_close(relativistic(logits, logits), torch.tensor(math.log(2), dtype=torch.float64))


def test_the_relativistic_loss_depends_on_the_differences_of_pairs_only() -> None:
    real, fake, shift = 5 * torch.randn(3, 64, dtype=torch.float64)
    torch.testing.assert_close(relativistic(real + shift, fake + shift), relativistic(real, fake))
    torch.testing.assert_close(relativistic(real - fake, torch.zeros_like(fake)), relativistic(real, fake))
    torch.testing.assert_close(relativistic(real, fake) - relativistic(fake, real), (fake - real).mean())


def test_the_relativistic_gradient_is_the_share_of_doubt_of_each_pair() -> None:
    """-sigmoid(other - preferred) / N, and its negative for the other: none where the pair is in order."""
    real, fake = (30 * torch.randn(2, 16, dtype=torch.float64)).requires_grad_().unbind()
    of_real, of_fake = torch.autograd.grad(relativistic(real, fake), (real, fake))
    torch.testing.assert_close(of_real, -torch.sigmoid(fake - real) / 16)
    torch.testing.assert_close(of_fake, -of_real)


def test_the_relativistic_loss_of_a_linear_discriminator_has_the_gradient_of_logistic_regression() -> None:
    """D(x) = w.x: the loss is that of a logistic regression on the differences x - G(z), all of one class."""
    w = torch.randn(7, dtype=torch.float64, requires_grad=True)
    x, fake = torch.randn(2, 12, 7, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(relativistic(x @ w, fake @ w), w)
    difference = x - fake
    torch.testing.assert_close(gradient, -(torch.sigmoid(-difference @ w)[:, None] * difference).mean(0))


def test_the_penalty_of_a_linear_discriminator_is_its_weights_norm() -> None:
    w = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    x = torch.randn(6, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty((x * w).flatten(1).sum(1) + 7, x)
    torch.testing.assert_close(penalty, w.square().sum())
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(gradient, 2 * w)


def test_the_penalty_of_a_quadratic_discriminator() -> None:
    """D(x) = x'Ax / 2 + b'x has the gradient Ax + b: the mean over images of its squared norm, differentiable in A."""
    dim, n = 6, 5
    root = torch.randn(dim, dim, dtype=torch.float64)
    a = (root + root.T).requires_grad_()
    b = torch.randn(dim, dtype=torch.float64)
    x = torch.randn(n, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    flat = x.flatten(1)
    penalty = gradient_penalty(0.5 * ((flat @ a) * flat).sum(1) + flat @ b, x)
    expected = (flat @ a + b).square().sum(1).mean()
    torch.testing.assert_close(penalty, expected)
    (ours,), (closed_form,) = torch.autograd.grad(penalty, a, retain_graph=True), torch.autograd.grad(expected, a)
    symmetric = 0.5 * (closed_form + closed_form.T)  # autograd sees x'Ax through both halves of A
    torch.testing.assert_close(0.5 * (ours + ours.T), symmetric)
