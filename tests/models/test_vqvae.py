"""The VQ-VAE against its own definition: its bound and prior by enumeration of all codes, and who learns from what."""

import itertools
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from models.base import DataSpec
from models.losses import bits_per_dim, discretized_logistic_log_likelihood
from models.vqvae import VQVAE

SHAPE = (1, 7, 6)  # a grid of 2 x 2


def small(shape: tuple[int, int, int] = SHAPE, **changes: Any) -> VQVAE:
    """A VQ-VAE of random weights that are large enough for its codes to matter."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "codebook_size": 3, "code_dim": 4, "width": 8, "prior_dim": 16, "prior_depth": 1, "prior_heads": 2,
    }  # fmt: skip
    model = VQVAE(DataSpec(shape), **(arguments | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.quantiser.initialise(model.encoder(images(8, shape)).permute(0, 2, 3, 1).flatten(0, 2))
    return model.eval()


def images(n: int, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randint(0, 256, (n, *shape)) / 127.5 - 1


def all_codes(size: int, length: int) -> Tensor:
    return torch.tensor(list(itertools.product(range(size), repeat=length)))


def losses(model: VQVAE, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a training step, and what the step logs."""
    logged: dict[str, Tensor] = {}
    model.log_losses = logged.update  # type: ignore[method-assign]
    return model.training_step((x, torch.zeros(len(x))), 0), logged


@torch.no_grad()
def test_the_prior_is_a_distribution_over_all_grids() -> None:
    log_p = small().prior.log_p(all_codes(3, 4))
    assert log_p.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert log_p.std() > 0.1


@torch.no_grad()
def test_the_bits_bound_the_marginal_likelihood() -> None:
    """p(x) summed over all 81 grids of codes is at least what the one term of the bound says, and it is near."""
    model, x = small(), images(5)
    codes = all_codes(3, 4)
    (bound,) = model.bits_per_dim(x, torch.Generator())
    mean = model.decoder(model.quantiser.lookup(codes.view(-1, 2, 2)))
    for image, bits in zip(x, bound.bits, strict=True):
        log_p_x_z = discretized_logistic_log_likelihood(image.expand(len(codes), *SHAPE), mean, model.log_scale)
        joint = log_p_x_z + model.prior.log_p(codes)
        marginal = bits_per_dim(-joint.logsumexp(0), 7 * 6)
        assert bits >= marginal - 1e-5
        assert bits <= bits_per_dim(-joint.min(), 7 * 6) + 1e-5
    torch.testing.assert_close(bound.bits, bound.terms["prior"] + bound.terms["reconstruction"])
    own = model.codes(x).flatten(1)
    torch.testing.assert_close(bound.terms["prior"], bits_per_dim(-model.prior.log_p(own), 7 * 6))


@torch.no_grad()
def test_the_drawn_codes_follow_the_prior() -> None:
    """How often each of the 81 grids is drawn, within five standard errors."""
    prior, n = small().prior, 40_000
    drawn = prior.draw(torch.rand(n, 4)) @ torch.tensor([27, 9, 3, 1])
    frequency = drawn.bincount(minlength=81) / n
    p = prior.log_p(all_codes(3, 4)).double().exp()
    assert ((frequency - p).abs() < 5 * (p * (1 - p) / n).sqrt() + 1e-6).all()


@torch.no_grad()
def test_the_path_of_sampling_has_the_probabilities_of_the_prior() -> None:
    prior = small().prior
    logits: list[Tensor] = []
    hook = prior.register_forward_hook(lambda _, inputs, output: logits.append(output))
    codes = prior.draw(torch.rand(6, 4))
    hook.remove()
    along = torch.cat(logits, 1).log_softmax(2).gather(2, codes[..., None]).sum((1, 2))
    torch.testing.assert_close(along, prior.log_p(codes))


@torch.no_grad()
def test_uniform_numbers_at_the_ends_draw_codes_that_exist() -> None:
    prior = small().prior
    prior.head.bias.copy_(torch.tensor([-200.0, 0.0, -200.0]))  # the first and the last are impossible
    for u in (0.0, 1 - 2**-24):
        assert (prior.draw(torch.full((2, 4), u)) == 1).all()


def test_samples_are_the_decoders_means_of_codes_drawn_from_the_prior() -> None:
    model = small()
    u = torch.rand((5, 4), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        mean = model.decoder(model.quantiser.lookup(model.prior.draw(u).view(5, 2, 2)))
    torch.testing.assert_close(model.sample(5, torch.Generator().manual_seed(3)), mean.clamp(-1, 1))


@pytest.mark.parametrize("beta", [0.0, 0.25, 2.0])
def test_the_loss_is_the_sum_of_its_terms(beta: float) -> None:
    model, x = small(beta=beta), images(6)
    reconstruction, prior, z = model.terms(x)
    loss, logged = losses(model, x)
    torch.testing.assert_close(loss, logged["reconstruction"] + beta * logged["commitment"] + logged["prior"])
    torch.testing.assert_close(logged["reconstruction"], reconstruction.mean())
    torch.testing.assert_close(logged["prior"], prior.mean())
    distance = (model.encoder(x) - model.quantiser.lookup(model.codes(x))).square().flatten(1).sum(1)
    torch.testing.assert_close(z.commitment, distance)
    torch.testing.assert_close(logged["commitment"], distance.mean())
    torch.testing.assert_close(logged["bits_per_dim"], model.bits_per_dim(x, torch.Generator())[0].bits.mean())


def test_the_prior_teaches_the_prior_alone_and_the_image_the_rest() -> None:
    model, x = small(), images(6)
    reconstruction, prior, z = model.terms(x)
    named = dict(model.named_parameters())

    def reached(loss: Tensor) -> set[str]:
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True, retain_graph=True)
        return {name for name, gradient in zip(named, gradients, strict=True) if gradient is not None}

    of_prior = {name for name in named if name.startswith("prior.")}
    assert reached(prior.mean()) == of_prior
    assert reached(reconstruction.mean()) == set(named) - of_prior
    assert reached(z.commitment.mean()) == {name for name in named if name.startswith("encoder.")}


def test_what_can_be_done_with_codes_agrees() -> None:
    model, x = small(), images(6)
    codes = model.codes(x)
    assert codes.unique().numel() > 1
    assert codes.dtype == torch.int64
    grid = model.quantiser.lookup(codes)
    torch.testing.assert_close(model.encode(x), grid.flatten(1))
    torch.testing.assert_close(model.reconstruct(x), model.decoder(grid).detach().clamp(-1, 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert model.encode(x).dtype == model.reconstruct(x).dtype == torch.float32


def test_an_overfitted_batch_gains_likelihood_and_codes(fit: Callable[..., L.Trainer]) -> None:
    """With more codes than the batch has vectors."""
    model = VQVAE(
        DataSpec(SHAPE), codebook_size=64, code_dim=4, width=16, prior_dim=16, prior_depth=1, learning_rate=0.01
    )
    row = torch.linspace(0, 255, 7 * 6).round().view(SHAPE) / 127.5 - 1
    x = torch.stack([row, -row, row.flip(1), row.flip(2)])
    before = model.bits_per_dim(x, torch.Generator())[0]
    fit(model, [(x, torch.zeros(4))] * 200)
    after = model.bits_per_dim(x, torch.Generator())[0]
    assert before.bits.mean() > 8
    assert after.bits.mean() < 6.5
    assert model.codes(x).flatten(1).unique(dim=0).shape[0] == 4


@pytest.mark.parametrize("shape", [(1, 5, 5), (1, 1, 1), (2, 3, 9)], ids=str)
def test_the_smallest_images_work(shape: tuple[int, int, int]) -> None:
    model, x = small(shape), images(3, shape)
    loss, _ = losses(model.train(), x)
    loss.backward()
    assert loss.isfinite()
    assert model.reconstruct(x).shape == x.shape
    assert model.sample(2, torch.Generator().manual_seed(0)).shape == (2, *shape)
