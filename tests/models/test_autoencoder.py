"""The autoencoder's loss and abilities, and the Gaussian of its latents against torch.cov and resumed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from models.autoencoder import DECAY, Autoencoder
from models.networks.running_gaussian import RunningGaussian
from models.protocols import Decodes, Encodes, Reconstructs

SHAPE = (1, 9, 7)
both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(architecture: str = "conv", **changes: Any) -> Autoencoder:
    """An autoencoder of random weights that are large enough for the latents to differ."""
    settings: dict[str, Any] = {"latent_dim": 3, "width": 4, "hidden": 16, "architecture": architecture}
    model = Autoencoder(SHAPE, **(settings | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def weighted(batches: list[Tensor], decay: float) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all vectors, in float64; those k batches before the last have the weight decay^k."""
    ages = torch.arange(len(batches) - 1, -1, -1).repeat_interleave(torch.tensor([len(batch) for batch in batches]))
    weights = decay ** ages.double()
    z = torch.cat(batches).double()
    return (weights[:, None] * z).sum(0) / weights.sum(), torch.cov(z.T, correction=0, aweights=weights)


def fitted(batches: list[Tensor], decay: float) -> RunningGaussian:
    gaussian = RunningGaussian(batches[0].shape[1], decay)
    for batch in batches:
        gaussian.update(batch)
    return gaussian


def correlated(sizes: list[int], offset: float = 0.0) -> list[Tensor]:
    """Batches of 4-dimensional vectors whose mean drifts and whose coordinates hang together."""
    mix = torch.randn(4, 4)
    return [torch.randn(size, 4) @ mix + 0.5 * i + offset for i, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", [[7], [1, 1], [5, 5, 5], [6, 2, 9, 1, 30]], ids=str)
@pytest.mark.parametrize("decay", [0.5, 0.99, 1.0])
def test_the_gaussian_is_that_of_all_vectors_by_their_weights(sizes: list[int], decay: float) -> None:
    """However few batches there were: without the bias of averages that start at zero."""
    batches = correlated(sizes)
    gaussian, (mean, covariance) = fitted(batches, decay), weighted(batches, decay)
    torch.testing.assert_close(gaussian.mean.double(), mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gaussian.covariance.double(), covariance, rtol=1e-5, atol=1e-5)
    effective = sum(size * decay ** (len(sizes) - 1 - i) for i, size in enumerate(sizes))
    assert gaussian.weight.item() == pytest.approx(effective)


def test_a_mean_far_from_zero_costs_the_covariance_no_digits() -> None:
    """As E[z z^T] - m m^T it would in float32: 1000^2 has a spacing of 1/16 there."""
    batches = correlated([64] * 20, offset=1000.0)
    _, covariance = weighted(batches, 0.9)
    torch.testing.assert_close(fitted(batches, 0.9).covariance.double(), covariance, rtol=1e-3, atol=1e-3)


def test_autocast_leaves_the_gaussian_in_float32() -> None:
    batches = correlated([16] * 3, offset=10.0)
    plain = fitted(batches, 0.9)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = fitted(batches, 0.9)
        drawn = mixed.sample(5, torch.Generator().manual_seed(1))
    assert torch.equal(mixed.covariance, plain.covariance)
    assert torch.equal(drawn, plain.sample(5, torch.Generator().manual_seed(1)))


def test_draws_are_an_exact_linear_image_of_the_noise_with_the_covariance_fitted() -> None:
    """z = mean + S eps for a symmetric S with S S = covariance: what makes the draws' mean and covariance those."""
    gaussian = fitted(correlated([40] * 3), 0.9)
    eps = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    drawn = gaussian.sample(6, torch.Generator().manual_seed(2))
    root = torch.linalg.lstsq(eps.double(), (drawn - gaussian.mean).double()).solution
    torch.testing.assert_close(root, root.T, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close((root @ root).float(), gaussian.covariance, rtol=1e-3, atol=1e-4)


def test_draws_of_a_covariance_without_full_rank_stay_where_the_vectors_were() -> None:
    """Two vectors in four dimensions: every draw lies on the line through them, with their mean and deviation."""
    first, second = torch.randn(2, 4)
    gaussian = fitted([torch.stack([first, second])], 0.9)
    drawn = gaussian.sample(4000, torch.Generator().manual_seed(0))
    along = (second - first) / (second - first).norm()
    place = (drawn - gaussian.mean) @ along
    torch.testing.assert_close(drawn, gaussian.mean + place[:, None] * along, rtol=0, atol=5e-3)
    assert place.mean().item() == pytest.approx(0, abs=0.1)
    assert place.std().item() == pytest.approx((second - first).norm().item() / 2, rel=0.05)


def test_before_any_batch_it_is_standard_normal() -> None:
    eps = torch.randn(3, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(RunningGaussian(2, 0.9).sample(3, torch.Generator().manual_seed(4)), eps)


@both
def test_samples_are_decoded_from_the_gaussian_of_the_training_latents(
    architecture: str, fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """An encoder that hardly moves: its latents' moments are known afterwards, at the weights of their batches."""
    model, batches = small(architecture, learning_rate=1e-9), toy_batches(SHAPE, count=6, size=8)
    fit(model, batches)
    mean, covariance = weighted([model.encode(x) for x, _ in batches], DECAY)
    torch.testing.assert_close(model.latents.mean.double(), mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.latents.covariance.double(), covariance, rtol=1e-4, atol=1e-5)
    z = model.latents.sample(5, torch.Generator().manual_seed(3))
    assert torch.equal(model.sample(5, torch.Generator().manual_seed(3)), model.decode(z))


def test_a_resumed_run_goes_on_with_the_gaussian_it_had(
    fit: Callable[..., L.Trainer], toy_batches: Any, tmp_path: Path
) -> None:
    """Frozen, 3 batches, a checkpoint, the same 3 again: the Gaussian of 6 batches, not of the last 3."""
    model, batches = small(learning_rate=1e-9), toy_batches(SHAPE, count=3)
    fit(model, batches).save_checkpoint(tmp_path / "half.ckpt")
    resumed = small(learning_rate=1e-9)
    fit(resumed, batches, ckpt_path=tmp_path / "half.ckpt", max_epochs=2)
    mean, covariance = weighted([resumed.encode(x) for x, _ in batches * 2], DECAY)
    torch.testing.assert_close(resumed.latents.mean.double(), mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(resumed.latents.covariance.double(), covariance, rtol=1e-4, atol=1e-5)
    assert resumed.latents.weight.item() == pytest.approx(4 * (1 - DECAY**6) / (1 - DECAY))


@both
def test_the_loss_is_the_mean_squared_error_and_the_gaussian_learns_nothing(architecture: str) -> None:
    model, x = small(architecture), torch.randint(0, 256, (5, *SHAPE)) / 127.5 - 1
    model.log_losses = lambda **_: None  # type: ignore[method-assign]
    loss = model.training_step((x, torch.zeros(5)), 0)
    assert loss.item() == pytest.approx((model.decoder(model.encoder(x)) - x).square().mean().item())
    assert not list(model.latents.parameters())


@both
def test_it_encodes_decodes_and_reconstructs(architecture: str) -> None:
    model, x = small(architecture).train(), torch.randint(0, 256, (5, *SHAPE)) / 127.5 - 1
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    assert isinstance(model, Reconstructs)
    assert model.encode(x).shape == (5, model.latent_dim)
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)))
    torch.testing.assert_close(model.reconstruct(x), model.decoder(model.encoder(x)).clamp(-1, 1).detach())
    with torch.autocast("cpu", torch.bfloat16):
        assert model.encode(x).dtype == model.decode(torch.zeros(2, 3)).dtype == torch.float32


def test_as_many_latents_as_images_learn_them(fit: Callable[..., L.Trainer]) -> None:
    """Four images overfitted: reconstructed far better than by their mean image, the best without a code."""
    x = torch.randint(0, 256, (4, *SHAPE)) / 127.5 - 1
    model = Autoencoder(SHAPE, latent_dim=4, architecture="linear", hidden=64, learning_rate=0.01)
    fit(model, [(x, torch.zeros(4))] * 150)
    assert (model.reconstruct(x) - x).square().mean() < 0.05 * (x.mean(0) - x).square().mean()
