"""The autoencoder's loss and abilities, and the Gaussian of its latents against torch.cov and resumed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from models.autoencoder import DECAY, Autoencoder
from models.base import DataSpec
from models.protocols import Decodes, Encodes, Reconstructs
from tests.models.moments import weighted

SHAPE = (1, 9, 7)
both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(architecture: str = "conv", **changes: Any) -> Autoencoder:
    """An autoencoder of random weights that are large enough for the latents to differ."""
    settings: dict[str, Any] = {"latent_dim": 3, "width": 4, "hidden": 16, "architecture": architecture}
    model = Autoencoder(DataSpec(SHAPE), **(settings | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


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
    model = Autoencoder(DataSpec(SHAPE), latent_dim=4, architecture="linear", hidden=64, learning_rate=0.01)
    fit(model, [(x, torch.zeros(4))] * 150)
    assert (model.reconstruct(x) - x).square().mean() < 0.05 * (x.mean(0) - x).square().mean()
