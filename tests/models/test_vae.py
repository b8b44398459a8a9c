"""The VAE against its own definition: its bound, terms and likelihood, by brute force where that is possible."""

import copy
import math
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from models.base import DataSpec
from models.losses import bits_per_dim, kl_to_standard_normal
from models.protocols import BoundsLikelihood, Decodes, Encodes, Reconstructs
from models.vae import DRAWS, VAE

SHAPE = (1, 7, 6)
both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(architecture: str, shape: tuple[int, int, int] = SHAPE, latent_dim: int = 2, **changes: Any) -> VAE:
    """A VAE of random weights that are large enough for z to matter."""
    model = VAE(DataSpec(shape), latent_dim=latent_dim, architecture=architecture, width=4, hidden=16, **changes)  # type: ignore[arg-type]
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.reset_parameters()  # PyTorch's own weights, with which pixels keep some likelihood
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
    model = VAE(DataSpec(SHAPE), latent_dim=4, architecture=architecture, width=8, hidden=64, learning_rate=0.01)  # type: ignore[arg-type]
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


def output_layer(network: nn.Module) -> Any:
    return [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]


def log_p_on_a_grid(model: VAE, x: Tensor, points: int = 161) -> Tensor:
    """log p(x) of each image under a two-dimensional latent, by the trapezoid rule over [-6, 6]^2 in float64."""
    axis = torch.linspace(-6, 6, points, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    log_prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    with torch.no_grad():
        decoded = copy.deepcopy(model).double().decoder(z)
        log_likelihood = [log_mass(one, decoded, model.log_scale.exp()).flatten(1).sum(1) for one in x]
    return torch.logsumexp(torch.stack(log_likelihood) + log_prior, 1) + 2 * math.log(12 / (points - 1))


@both
def test_its_bounds_enclose_the_likelihood_integrated_over_a_two_dimensional_latent(architecture: str) -> None:
    """-log p(x) <= E[importance-weighted] <= E[ELBO], the means over 40 estimates; the middle one within 0.2 nats.

    Of images as the model draws them: 64 draws say little about one that it finds all but impossible.
    """
    shape = (1, 3, 3)
    model = small(architecture, shape)
    drawn = model.sample(4, torch.Generator().manual_seed(1)) + 0.1 * torch.randn(4, *shape)
    x = (drawn.clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1
    truth = -log_p_on_a_grid(model, x)
    estimates = [model.bits_per_dim(x, torch.Generator().manual_seed(seed)) for seed in range(40)]
    nats = 9 * math.log(2)
    elbo, tighter = (torch.stack([bounds[i].bits.double() * nats for bounds in estimates]) for i in range(2))
    error = tighter.std(0) / 40**0.5
    assert (tighter.mean(0) > truth - 4 * error).all()
    assert (elbo.mean(0) > tighter.mean(0) + 0.05).all(), "else both were tight"
    torch.testing.assert_close(tighter.mean(0), truth, rtol=0, atol=0.2)
    assert (tighter <= elbo).all(), "of equal draws, in every single estimate and not just on average"


@both
def test_with_the_exact_posterior_both_bounds_are_the_likelihood(architecture: str) -> None:
    """A decoder that ignores z has the prior as its posterior: no draw matters, and there is no divergence."""
    shape = (1, 3, 3)
    model, x = small(architecture, shape), images(5, shape)
    with torch.no_grad():
        output_layer(model.encoder).weight.zero_()
        output_layer(model.encoder).bias.zero_()
        output_layer(model.decoder).weight.zero_()
    elbo, tighter = model.bits_per_dim(x, torch.Generator())
    decoded = model.decoder(torch.zeros(5, 2))
    truth = bits_per_dim(-log_mass(x, decoded, model.log_scale.exp()).flatten(1).sum(1), 9).float()
    torch.testing.assert_close(elbo.bits, truth, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tighter.bits, truth, rtol=1e-4, atol=1e-5)
    assert elbo.terms["KL"].abs().max() < 1e-6


@both
def test_the_bounds_are_those_of_the_models_own_terms(architecture: str) -> None:
    """The ELBO's parts are the training loss's, over the same draws; its KL is the closed form's within five errors."""
    model, x = small(architecture), images(6)
    elbo, tighter = model.bits_per_dim(x, torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(2)
    draws = [torch.randn(6, 2, generator=generator) for _ in range(DRAWS)]
    mean, log_variance = model.posterior(x)
    q, p = Normal(mean, torch.exp(0.5 * log_variance)), Normal(0.0, 1.0)
    reconstruction = torch.stack([model.terms(x, eps)[0] for eps in draws])
    z = torch.stack([mean + torch.exp(0.5 * log_variance) * eps for eps in draws])
    log_ratio = (q.log_prob(z) - p.log_prob(z)).sum(2)
    torch.testing.assert_close(elbo.terms["reconstruction"], bits_per_dim(reconstruction.mean(0), 42))
    torch.testing.assert_close(elbo.terms["KL"], bits_per_dim(log_ratio.mean(0), 42), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(elbo.bits, elbo.terms["reconstruction"] + elbo.terms["KL"])
    weights = (-reconstruction - log_ratio).double().exp()
    weighted = torch.where(weights.sum(0) > 0, -weights.mean(0).log(), math.inf)
    seen = weighted.isfinite()
    assert seen.any()
    torch.testing.assert_close(tighter.bits.double()[seen], bits_per_dim(weighted, 42)[seen], rtol=1e-4, atol=1e-4)
    error = log_ratio.std(0) / DRAWS**0.5
    assert ((log_ratio.mean(0) - model.terms(x, draws[0])[1]).abs() < 5 * error).all()
    assert (elbo.name, tighter.name) == ("ELBO", "importance-weighted, 64 draws")


@both
def test_the_bounds_are_float32_also_under_autocast_and_leave_no_trace(architecture: str) -> None:
    model, x = small(architecture), images(3)
    reference = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    rng = torch.get_rng_state()
    with torch.autocast("cpu", torch.bfloat16):
        bounds = model.bits_per_dim(x, torch.Generator().manual_seed(6))
        codes = model.encode(x)
        assert codes.dtype == model.decode(codes).dtype == model.reconstruct(x).dtype == torch.float32
    for bound, other in zip(bounds, reference, strict=True):
        assert bound.bits.dtype == torch.float32
        assert not bound.bits.requires_grad
        torch.testing.assert_close(bound.bits, other.bits, rtol=0.05, atol=0)
    assert torch.equal(rng, torch.get_rng_state())
    assert model.training
    assert torch.is_grad_enabled()


@both
def test_a_reconstruction_is_the_decoded_posterior_mean(architecture: str) -> None:
    model, x = small(architecture), images(4)
    with torch.no_grad():
        output_layer(model.decoder).bias.add_(0.9)  # so that there is something to clip
    mean, _ = model.posterior(x)
    assert torch.equal(model.encode(x), mean)
    assert model.encode(x).shape == (4, model.latent_dim)
    decoded = model.decoder(mean).detach()
    assert decoded.abs().max() > 1
    assert torch.equal(model.decode(mean), decoded.clamp(-1, 1))
    assert torch.equal(model.reconstruct(x), decoded.clamp(-1, 1))
    assert not model.reconstruct(x).requires_grad
    assert model.training


@pytest.mark.parametrize("ability", [Reconstructs, Encodes, Decodes, BoundsLikelihood])
def test_it_has_the_abilities_of_an_autoencoder_with_a_likelihood(ability: type) -> None:
    assert isinstance(small("linear"), ability)


def test_a_label_has_a_gaussian_prior_of_its_own_which_starts_as_the_standard_one() -> None:
    model = VAE(DataSpec((1, 4, 4), (0.5, 0.5)), latent_dim=3, architecture="linear", hidden=8, condition="label")
    x, y, eps = 2 * torch.rand(5, 1, 4, 4) - 1, torch.tensor([0, 1, 1, 0, 1]), torch.randn(5, 3)
    mean, log_variance = model.posterior(x)
    torch.testing.assert_close(model.terms(x, eps, y)[1], kl_to_standard_normal(mean, log_variance))
    assert model.prior is not None
    with torch.no_grad():
        model.prior.weight.normal_()
    prior_mean, prior_log_variance = model.prior.weight[y].chunk(2, dim=1)
    q, p = (Normal(m, torch.exp(0.5 * v)) for m, v in ((mean, log_variance), (prior_mean, prior_log_variance)))
    torch.testing.assert_close(model.terms(x, eps, y)[1], kl_divergence(q, p).sum(1))
    seen: list[Tensor] = []
    model.decoder.register_forward_hook(lambda module, inputs, output: seen.extend(inputs))
    model.decoded(eps, y)
    torch.testing.assert_close(seen[0][:, :3], p.loc + p.scale * eps)
