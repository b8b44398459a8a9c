"""What both adversarial families share: whose weights move, and how strongly a lazy penalty weighs."""

import pytest
import torch
from torch import Tensor, nn

from models.adversarial import AdversarialModel, Seen
from models.base import DataSpec


class Pair(AdversarialModel):
    """Two players of one linear layer each."""

    family = "gan"
    learning_rate = 0.1
    betas = (0.0, 0.9)

    def __init__(self) -> None:
        super().__init__(DataSpec((1, 2, 3)))
        self.generator, self.discriminator = nn.Linear(6, 6), nn.Linear(6, 1)

    def draw(self, x: Tensor, y: Tensor) -> Seen:
        raise NotImplementedError

    discriminator_loss = penalties = generator_loss = draw  # type: ignore[assignment]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_a_lazy_penalty_weighs_half_of_gamma_on_the_average_batch(gamma: float) -> None:
    """Of logits w.x, whose gradient is w at every image; once in PENALTY_EVERY batches."""
    pair, w = Pair(), torch.randn(6, requires_grad=True)
    penalty = pair.lazy_penalty(lambda x: x @ w, torch.randn(5, 6), gamma)
    torch.testing.assert_close(penalty / pair.PENALTY_EVERY, gamma / 2 * w.square().sum())
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(gradient / pair.PENALTY_EVERY, gamma * w)


def test_a_lazy_penalty_reaches_no_generator() -> None:
    pair = Pair()
    images = pair.generator(torch.randn(5, 6))
    pair.lazy_penalty(lambda x: pair.discriminator(x).square().flatten(), images, 1.0).backward()
    assert all(parameter.grad is None for parameter in pair.generator.parameters())
    assert all(parameter.grad is not None for parameter in pair.discriminator.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_lazy_penalty_is_computed_in_float32_under_autocast(dtype: torch.dtype) -> None:
    pair, images = Pair(), torch.randn(5, 6).to(dtype)
    plain = pair.lazy_penalty(lambda x: pair.discriminator(x).square().flatten(), images.float(), 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = pair.lazy_penalty(lambda x: pair.discriminator(x).square().flatten(), images, 1.0)
    assert mixed.dtype == torch.float32
    assert torch.equal(plain, mixed)


def test_each_optimizer_holds_one_player_and_the_generator_alone_samples() -> None:
    pair = Pair()
    optimizers, _ = pair.configure_optimizers()  # type: ignore[misc, str-unpack]
    held = [[id(p) for group in one.param_groups for p in group["params"]] for one in optimizers]  # type: ignore[union-attr, str]
    assert held == [[id(p) for p in player.parameters()] for player in (pair.discriminator, pair.generator)]
    assert pair.networks == (pair.generator,)


@pytest.mark.parametrize("generator_rate", [None, 0.03])
def test_the_generator_has_the_discriminators_rate_unless_it_has_its_own(generator_rate: float | None) -> None:
    players = Pair()
    players.generator_rate = generator_rate
    optimizers, _ = players.configure_optimizers()  # type: ignore[misc]
    rates = {id(group["params"][0]): group["initial_lr"] for one in optimizers for group in one.param_groups}  # type: ignore[union-attr]
    assert rates[id(players.discriminator.weight)] == 0.1
    assert rates[id(players.generator.weight)] == (generator_rate or 0.1)
