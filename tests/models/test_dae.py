"""The denoising autoencoder: its chain with posteriors that are known exactly, its likelihood, corruption and walk."""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.corruption import CORRUPTIONS, Kind, gaussian, masking, salt_and_pepper
from models.dae import DAE, LONGEST_WALK, WALKBACK, chain, draw_levels
from models.losses import discretized_logistic_log_likelihood
from models.protocols import Decodes, Denoises, Encodes, Reconstructs

SHAPE = (1, 9, 7)
N = 100_000
every_kind = pytest.mark.parametrize("kind", CORRUPTIONS)


def small(shape: tuple[int, int, int] = SHAPE, **changes: Any) -> DAE:
    settings: dict[str, Any] = {"corruption": "gaussian", "latent_dim": 5, "width": 4, "hidden": 16}
    return DAE(DataSpec(shape), **(settings | changes))


def images(n: int, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randint(0, 256, (n, *shape)) / 127.5 - 1


@pytest.mark.parametrize(("mu", "sigma", "level"), [(0.3, 0.5, 0.5), (-0.7, 0.2, 0.6), (0.0, 1.0, 0.4)])
def test_a_gaussians_exact_posterior_makes_a_chain_that_ends_at_that_gaussian(
    mu: float, sigma: float, level: float
) -> None:
    """From a far point, mean and variance approach it as the linear chain's do in closed form, step by step."""
    gain = sigma**2 / (sigma**2 + level**2)
    deviation = level * math.sqrt(gain)  # of x given x~
    x, mean, variance = torch.full((N,), 3.0), 3.0, 0.0
    for _ in range(4):
        x = chain(
            lambda x: gaussian(x, level),
            lambda noisy: mu + gain * (noisy - mu) + deviation * torch.randn(N),
            x,
            steps=3,
        )
        for _ in range(3):
            mean, variance = mu + gain * (mean - mu), gain**2 * (variance + level**2) + deviation**2
        assert x.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / N))
        assert x.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / N))
    if gain < 0.6:
        assert (mean, variance) == pytest.approx((mu, sigma**2), abs=0.01), "the walk was long enough to arrive"


@pytest.mark.parametrize("corrupt", [salt_and_pepper, masking])
def test_two_points_exact_posterior_makes_a_chain_that_ends_at_their_frequencies(
    corrupt: Callable[..., Tensor],
) -> None:
    """x is 1 with probability 0.2, else -1; all chains start at -1."""
    p, level = 0.2, 0.5
    flip = (level / 2, level / 2) if corrupt is salt_and_pepper else (level, 0.0)  # 1 -> -1, and -1 -> 1

    def draw(noisy: Tensor) -> Tensor:
        likelihood_of_1 = torch.where(noisy > 0, 1 - flip[0], flip[0])
        likelihood_of_minus_1 = torch.where(noisy > 0, flip[1], 1 - flip[1])
        posterior = p * likelihood_of_1 / (p * likelihood_of_1 + (1 - p) * likelihood_of_minus_1)
        return torch.where(torch.rand(N) < posterior, 1.0, -1.0)

    x = chain(lambda x: corrupt(x, level), draw, torch.full((N,), -1.0), steps=40)
    assert (x > 0).float().mean().item() == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / N))


def test_a_chain_of_no_steps_stays_where_it_is() -> None:
    x = images(2)
    assert chain(torch.zeros_like, torch.zeros_like, x, 0) is x


@pytest.mark.parametrize(("mean", "log_scale"), [(0.1, -3.0), (-0.98, -2.0), (1.4, -1.0), (0.0, 1.0), (0.501, -7.0)])
def test_draws_are_distributed_as_the_likelihood_says(mean: float, log_scale: float) -> None:
    """The frequencies of the 256 levels, tails included: each within six standard deviations."""
    levels = (torch.arange(256) / 127.5 - 1).view(256, 1, 1, 1)
    p = discretized_logistic_log_likelihood(levels, torch.tensor(mean), torch.tensor(log_scale)).double().exp()
    drawn = draw_levels(torch.full((N,), mean), torch.tensor(log_scale))
    index = (drawn + 1) * 127.5
    torch.testing.assert_close(index, index.round(), rtol=0, atol=1e-3)
    frequency = torch.bincount(index.round().long(), minlength=256) / N
    assert ((frequency - p).abs() <= 6 * (p * (1 - p) / N).sqrt() + 5 / N).all()


class Constant(nn.Module):
    """A network that has one mean for every image."""

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.output = mean

    def forward(self, x: Tensor) -> Tensor:
        return self.output.expand(len(x), *self.output.shape)


def test_the_loss_is_the_logistics_mass_on_the_images_levels_in_nats() -> None:
    """From its distribution function, with the network's means and the model's scale, 0.3."""
    model, x, mean = small(), images(6), 0.5 * torch.randn(SHAPE)
    model.autoencoder, scale = Constant(mean), 0.3  # type: ignore[assignment]
    nn.init.constant_(model.log_scale, math.log(scale))
    level = ((x + 1) * 127.5).round().double()
    lower = torch.where(level == 0, -math.inf, (level - 0.5) / 127.5 - 1)
    upper = torch.where(level == 255, math.inf, (level + 0.5) / 127.5 - 1)
    mass = torch.sigmoid((upper - mean) / scale) - torch.sigmoid((lower - mean) / scale)
    torch.testing.assert_close(
        model.loss(x, torch.zeros_like(x)).double(), -mass.log().flatten(1).sum(1), rtol=1e-4, atol=1e-3
    )


@every_kind
def test_the_likelihoods_of_a_pixels_levels_sum_to_one_whatever_is_seen(kind: Kind) -> None:
    model, x = small((1, 1, 1), corruption=kind), (torch.arange(256) / 127.5 - 1).view(256, 1, 1, 1)
    for noisy in (-1.0, 0.3, 1.0):
        with torch.no_grad():
            nats = model.loss(x, torch.full_like(x, noisy))
        assert nats.neg().double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_levels_are_uniform_up_to_the_greatest_one_over_images() -> None:
    model = DAE(DataSpec((1, 64, 64)), corruption="gaussian", level=0.8, width=4, hidden=16)
    deviation = model.transition(torch.zeros(1000, 1, 64, 64)).flatten(1).std(1).sort().values
    expected = 0.8 * (torch.arange(1000) + 0.5) / 1000
    assert (deviation - expected).abs().max() < 0.06, "quantile by quantile"


@every_kind
def test_a_sample_is_the_last_transitions_mean_from_coin_flips(kind: Kind) -> None:
    model, steps, state = small(corruption=kind, level=0.7), 3, torch.Generator().manual_seed(5)
    x = torch.where(torch.rand(4, *SHAPE, generator=state) < 0.5, -1.0, 1.0)
    with torch.no_grad():
        for step in range(steps):
            level = 0.7 * torch.rand(4, 1, 1, 1, generator=state)
            mean, log_scale = model.posterior(CORRUPTIONS[kind](x, level, state))
            if step < steps - 1:
                x = draw_levels(mean, log_scale, state)
    assert torch.equal(model.sample(4, torch.Generator().manual_seed(5), steps=3), mean.clamp(-1, 1))


def test_training_walks_back_geometrically_often_from_the_clean_images_to_them() -> None:
    model, x, walks, pairs = small(), images(2), [], []

    def walk(start: Tensor, steps: int) -> Tensor:
        walks.append(steps)
        assert start is x
        return start + 7  # to be recognised

    def loss(target: Tensor, noisy: Tensor) -> Tensor:
        pairs.append((target, noisy))
        return torch.zeros(2)

    model.walk, model.loss, model.log_losses = walk, loss, lambda **_: None  # type: ignore[assignment, method-assign]
    for _ in range(4000):
        model.training_step((x, torch.zeros(2)), 0)
    assert all(target is x and (noisy - x).mean() > 5 for target, noisy in pairs)
    for steps in range(LONGEST_WALK + 1):
        p = WALKBACK**steps * ((1 - WALKBACK) if steps < LONGEST_WALK else 1)
        assert walks.count(steps) / 4000 == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / 4000))


def test_a_walk_leaves_no_gradient_and_none_is_the_plain_denoising_loss() -> None:
    model, x = small(), images(3)
    assert torch.equal(model.walk(x, 0), x)
    model.log_losses = lambda **_: None  # type: ignore[method-assign]
    torch.manual_seed(2)  # whose first uniform number ends the walk
    assert torch.rand(()) > WALKBACK
    expected = model.loss(x, model.transition(x)).mean()
    torch.manual_seed(2)
    assert torch.equal(model.training_step((x, torch.zeros(3)), 0), expected)


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_a_probability_above_one_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match="level=1.5: with corruption=.* at most 1"):
        small(corruption=kind, level=1.5)
    small(corruption="gaussian", level=1.5)
    small(corruption=kind, level=1.0)


@every_kind
def test_it_corrupts_denoises_encodes_and_decodes(kind: Kind) -> None:
    model, x = small(corruption=kind, level=0.6), images(5)
    for ability in (Denoises, Encodes, Decodes, Reconstructs):
        assert isinstance(model, ability)
    assert model.noise_levels == pytest.approx((0.12, 0.24, 0.36, 0.48, 0.6))
    noisy = model.corrupt(x, 0.4, torch.Generator().manual_seed(1))
    assert torch.equal(noisy, CORRUPTIONS[kind](x, 0.4, torch.Generator().manual_seed(1)))
    mean, _ = model.posterior(noisy)
    assert torch.equal(model.denoise(noisy), mean.clamp(-1, 1).detach())
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)))
    assert model.encode(x).shape == (5, model.latent_dim)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.encode(x).dtype == model.denoise(x).dtype == torch.float32


@every_kind
def test_chains_learned_from_three_images_lead_from_noise_to_all_of_them(
    kind: Kind, fit: Callable[..., L.Trainer]
) -> None:
    """All parts together. Denoised, they are known again far better than as their mean."""
    halves = [torch.arange(9 * 7).view(SHAPE) % 7 < 3, torch.arange(9 * 7).view(SHAPE) < 9 * 7 / 2]
    x = torch.stack([halves[0], halves[1], ~(halves[0] ^ halves[1])]) * 2.0 - 1
    model = DAE(DataSpec(SHAPE), corruption=kind, level=0.6, latent_dim=8, width=8, hidden=32, learning_rate=0.005)
    fit(model, [(x.repeat(8, 1, 1, 1), torch.zeros(24))] * 110)
    drawn = model.sample(150, torch.Generator().manual_seed(0), steps=10)
    error, far = (drawn[:, None] - x).square().flatten(2).mean(2), (x[0] - x[1]).square().mean()
    assert error.min(1).values.mean() < 0.05 * far
    assert set(error.argmin(1).tolist()) == {0, 1, 2}
    noisy = model.corrupt(x, 0.3, torch.Generator().manual_seed(0))
    assert (model.denoise(noisy) - x).square().mean() < 0.1 * (x.mean(0) - x).square().mean()
