"""The VAE against its own definition: its bound, terms and likelihood, by brute force where that is possible."""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from models.losses import bits_per_dim
from models.vae import VAE

SHAPE = (1, 7, 6)
both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(architecture: str, shape: tuple[int, int, int] = SHAPE, latent_dim: int = 2, **changes: Any) -> VAE:
    """A VAE of random weights that are large enough for z to matter."""
    model = VAE(shape, latent_dim=latent_dim, architecture=architecture, width=4, hidden=16, **changes)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def images(n: int, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randint(0, 256, (n, *shape)) / 127.5 - 1


def log_mass(x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """log p(x) of every pixel from the logistic's distribution function, in float64 and with its infinite tails."""
    x, mean, scale = x.double(), mean.double(), scale.double()
    level = ((x + 1) * 127.5).round()
    lower = torch.where(level == 0, -math.inf, (level - 0.5) / 127.5 - 1)
    upper = torch.where(level == 255, math.inf, (level + 0.5) / 127.5 - 1)
    return torch.log(torch.sigmoid((upper - mean) / scale) - torch.sigmoid((lower - mean) / scale))


def losses(model: VAE, x: Tensor, seed: int = 5) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a training step, and what the step logs."""
    logged: dict[str, Tensor] = {}
    model.log_losses = logged.update  # type: ignore[method-assign]
    torch.manual_seed(seed)
    return model.training_step((x, torch.zeros(len(x))), 0), logged


@both
def test_without_noise_the_terms_are_those_computed_by_hand(architecture: str) -> None:
    model, x = small(architecture), images(5)
    reconstruction, kl = model.terms(x, torch.zeros(5, 2))
    mean, log_variance = model.encoder(x).double().chunk(2, dim=1)
    decoded = model.decoder(mean.float())
    torch.testing.assert_close(
        reconstruction.double(), -log_mass(x, decoded, model.log_scale.exp()).flatten(1).sum(1), rtol=1e-4, atol=1e-3
    )
    q, p = Normal(mean, log_variance.exp().sqrt()), Normal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(kl.double(), kl_divergence(q, p).sum(1), rtol=1e-4, atol=1e-5)


@both
def test_noise_enters_at_the_posteriors_own_scale(architecture: str) -> None:
    """What reaches the decoder is (mean, variance)-distributed: exactly mean + standard deviation x eps."""
    model, x, eps = small(architecture), images(4), torch.randn(4, 2)
    seen: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.terms(x, eps)
    mean, log_variance = model.posterior(x)
    torch.testing.assert_close(((seen[0] - mean) / eps).square(), log_variance.exp(), rtol=1e-3, atol=1e-5)


@both
def test_the_bound_falls_short_of_the_likelihood_by_the_posteriors_divergence(architecture: str) -> None:
    """log p(x) = ELBO + KL(q(z|x) || p(z|x)), every term integrated over a grid of the one-dimensional z."""
    shape = (1, 2, 2)
    model, x = small(architecture, shape, latent_dim=1), images(6, shape)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    step = (z[1] - z[0]).item()
    decoded = model.decoder(z.float()[:, None])
    log_likelihood = torch.stack([log_mass(one, decoded, model.log_scale.exp()).flatten(1).sum(1) for one in x])
    prior = Normal(torch.zeros((), dtype=torch.float64), 1.0)
    log_joint = log_likelihood + prior.log_prob(z)
    log_p = torch.logsumexp(log_joint, 1) + math.log(step)

    mean, log_variance = (value.double() for value in model.posterior(x))
    q = Normal(mean, log_variance.exp().sqrt())
    log_q = q.log_prob(z[None])
    divergence = (log_q.exp() * (log_q - (log_joint - log_p[:, None]))).sum(1) * step

    eps = torch.linspace(-9, 9, 801, dtype=torch.float64)
    weight = prior.log_prob(eps).exp() * (eps[1] - eps[0])
    terms = [model.terms(one.expand(801, *shape), eps.float()[:, None]) for one in x]
    elbo = torch.stack([-(weight * (reconstruction + kl).double()).sum() for reconstruction, kl in terms])

    torch.testing.assert_close(log_p - elbo, divergence, rtol=1e-3, atol=1e-3)
    assert (elbo <= log_p + 1e-4).all()
    assert (divergence > 1e-3).all(), "else the bound was tight and the identity would show nothing"


@both
def test_the_decoder_is_a_distribution_over_8_bit_images(architecture: str) -> None:
    """For any z, the likelihoods of a pixel's 256 levels sum to one: bits/dim are bits of 8-bit images."""
    model = small(architecture, (1, 1, 1), latent_dim=1)
    torch.nn.init.zeros_(model.encoder[-1].weight)  # type: ignore[index]  # so that every image has the same q(z | x)
    x = (torch.arange(256) / 127.5 - 1).view(256, 1, 1, 1)
    for eps in (-3.0, 0.0, 0.5, 4.0):
        with torch.no_grad():
            reconstruction, _ = model.terms(x, torch.full((256, 1), eps))
        assert reconstruction.neg().double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@both
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_beta_weighs_the_kl_term_and_the_bound_does_not_know_it(architecture: str, beta: float) -> None:
    model, x = small(architecture, beta=beta), images(8)
    loss, logged = losses(model, x)
    torch.testing.assert_close(loss, logged["reconstruction"] + beta * logged["kl"])
    torch.testing.assert_close(logged["negative_elbo"], logged["reconstruction"] + logged["kl"])
    torch.testing.assert_close(logged["bits_per_dim"], bits_per_dim(logged["negative_elbo"], 7 * 6))
    torch.manual_seed(5)
    reconstruction, kl = model.terms(x, torch.randn(8, 2))
    torch.testing.assert_close(logged["reconstruction"], reconstruction.mean())
    torch.testing.assert_close(logged["kl"], kl.mean())
    if beta == 0:
        assert torch.equal(loss, logged["reconstruction"])


@both
def test_samples_are_the_decoders_means_of_draws_from_the_prior(architecture: str) -> None:
    model = small(architecture)
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(3))
    drawn = model.sample(4, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, model.decoder(z).clamp(-1, 1).detach())


@both
def test_an_overfitted_batch_gains_likelihood(architecture: str, fit: Callable[..., L.Trainer]) -> None:
    """From worse than the uniform distribution's 8 bits/dim, on four ramps."""
    model = VAE(SHAPE, latent_dim=4, architecture=architecture, width=8, hidden=64, learning_rate=0.01)  # type: ignore[arg-type]
    row = torch.linspace(0, 255, 7 * 6).round().view(SHAPE) / 127.5 - 1
    x, eps = torch.stack([row, -row, row.flip(1), row.flip(2)]), torch.randn(4, 4)

    def bits() -> float:
        with torch.no_grad():
            reconstruction, kl = model.terms(x, eps)
            return float(bits_per_dim(reconstruction + kl, 7 * 6).mean())

    before = bits()
    fit(model, [(x, torch.zeros(4))] * 150)
    assert before > 8
    assert bits() < before - 0.5


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 9)], ids=str)
@both
def test_the_encoder_sees_every_pixel_and_z_moves_every_pixel(architecture: str, shape: tuple[int, int, int]) -> None:
    model, x = small(architecture, shape), images(1, shape).requires_grad_()
    mean, log_variance = model.posterior(x)
    (seen,) = torch.autograd.grad((mean + log_variance).sum(), x)
    assert (seen != 0).all()
    z = torch.zeros(1, 2)
    assert (model.decoder(z) != model.decoder(z + 1)).all()
