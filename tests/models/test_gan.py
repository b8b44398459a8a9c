"""The GAN's two players: who moves when, along which gradient, and how strongly R1 weighs."""

import copy
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import DataSpec
from models.gan import GAN

SHAPE = (1, 9, 6)
LATENT = 4
NOISE_SEED = 7


both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(**changes: Any) -> GAN:
    return GAN(DataSpec(SHAPE), **({"latent_dim": LATENT, "width": 16, "hidden": 16} | changes))


def parameters(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def changed(first: list[Tensor], second: list[Tensor]) -> bool:
    return not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class Referee(L.Callback):
    """Seeds each batch's noise, and calls `look` before and after every optimizer's step with the player's name."""

    def __init__(self, before: Callable[[str, int], None], after: Callable[[str, int], None] | None = None) -> None:
        self.before, self.after = before, after or (lambda player, batch: None)
        self.batch = -1

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for player, optimizer in zip(("discriminator", "generator"), trainer.optimizers, strict=True):
            optimizer.register_step_pre_hook(lambda *_, player=player: self.before(player, self.batch))
            optimizer.register_step_post_hook(lambda *_, player=player: self.after(player, self.batch))

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: tuple[Tensor, Tensor], batch_idx: int
    ) -> None:
        self.batch = batch_idx
        torch.manual_seed(NOISE_SEED)


def test_each_players_step_moves_that_player_alone(fit: Callable[..., L.Trainer], toy_batches: Any) -> None:
    model = small()
    players = {"discriminator": model.discriminator, "generator": model.generator}
    held: dict[str, list[Tensor]] = {}
    moves: list[str] = []

    def before(player: str, batch: int) -> None:
        held.update({name: parameters(network) for name, network in players.items()})

    def after(player: str, batch: int) -> None:
        moves.append(player)
        for name, network in players.items():
            judge = changed if name == player else same
            assert judge(held[name], parameters(network)), f"{name}, in the step of the {player}"

    fit(model, toy_batches(SHAPE, count=3), Referee(before, after))
    assert moves == ["discriminator", "generator"] * 3


@both
def test_each_player_follows_the_gradient_of_its_own_loss(
    architecture: str, fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """Recomputed from binary cross-entropies at each step's weights; batch 0 carries R1, batch 1 does not.

    The generator answers the discriminator as the batch's first step left it, on the same fakes.
    """
    gamma = 0.5
    model, batches = small(r1_gamma=gamma, architecture=architecture), toy_batches(SHAPE, count=2)
    z = torch.randn(4, LATENT, generator=torch.Generator().manual_seed(NOISE_SEED))
    checked: list[tuple[str, int]] = []

    def before(player: str, batch: int) -> None:
        x = batches[batch][0]
        with torch.enable_grad():
            fake = model.generator(z)
            if player == "generator":
                logits = model.discriminator(fake)
                loss = F.binary_cross_entropy_with_logits(logits, torch.ones(4))
            else:
                real, false = model.discriminator(x), model.discriminator(fake.detach())
                loss = F.binary_cross_entropy_with_logits(real, torch.ones(4))
                loss = loss + F.binary_cross_entropy_with_logits(false, torch.zeros(4))
                if batch == 0:
                    x = x.clone().requires_grad_()
                    (slope,) = torch.autograd.grad(model.discriminator(x).sum(), x, create_graph=True)
                    loss = loss + 16 * gamma / 2 * slope.square().sum() / len(x)
            mine = list(getattr(model, player).parameters())
            expected = torch.autograd.grad(loss, mine)
        for parameter, gradient in zip(mine, expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
        checked.append((player, batch))

    fit(model, batches, Referee(before))
    assert checked == [("discriminator", 0), ("generator", 0), ("discriminator", 1), ("generator", 1)]


@both
def test_the_relativistic_players_follow_the_gradients_of_their_losses_and_of_both_penalties(
    architecture: str, fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """Each against the other: softplus of the pair's difference, of either sign; batch 0 carries R1 and R2."""
    gamma = 0.5
    model = small(r1_gamma=gamma, architecture=architecture, loss="relativistic", penalty="r1+r2")
    batches = toy_batches(SHAPE, count=2)
    z = torch.randn(4, LATENT, generator=torch.Generator().manual_seed(NOISE_SEED))
    checked: list[tuple[str, int]] = []

    def before(player: str, batch: int) -> None:
        x = batches[batch][0]
        with torch.enable_grad():
            fake = model.generator(z)
            difference = model.discriminator(x) - model.discriminator(fake)
            loss = torch.log1p(torch.exp(-difference if player == "discriminator" else difference)).mean()
            if player == "discriminator" and batch == 0:
                for images in (x, fake.detach()):
                    images = images.clone().requires_grad_()
                    (slope,) = torch.autograd.grad(model.discriminator(images).sum(), images, create_graph=True)
                    loss = loss + 16 * gamma / 2 * slope.square().sum() / len(x)
            mine = list(getattr(model, player).parameters())
            expected = torch.autograd.grad(loss, mine)
        for parameter, gradient in zip(mine, expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
        checked.append((player, batch))

    fit(model, batches, Referee(before))
    assert checked == [("discriminator", 0), ("generator", 0), ("discriminator", 1), ("generator", 1)]


def test_r2_is_r1_of_the_generated_images() -> None:
    alone, both_penalties = small(), small(penalty="r1+r2")
    both_penalties.load_state_dict(alone.state_dict())
    x, fake = torch.randn(2, 4, *SHAPE)
    torch.testing.assert_close(
        both_penalties.penalties((x, fake)), alone.penalties((x, fake)) + alone.penalties((fake, x)), rtol=1e-6, atol=0
    )
    assert torch.equal(alone.penalties((x, fake)), alone.penalties((x, x))), "R1 is of the real images alone"


def test_r2_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^penalty=r1\+r2: r1_gamma=0 gives it no weight; choose r1_gamma > 0 or pen"):
        small(penalty="r1+r2", r1_gamma=0.0)


@both
def test_a_relativistic_discriminator_has_no_last_bias(architecture: str) -> None:
    """Which differences of logits cannot teach, so that Adam would follow the rounding of a gradient of zero."""
    names = [set(dict(small(architecture=architecture, loss=loss).discriminator.named_parameters()))
             for loss in ("non-saturating", "relativistic")]  # fmt: skip
    (missing,) = names[0] - names[1]
    assert missing.endswith(".bias")
    assert names[1] < names[0]


@pytest.mark.parametrize("gamma", [0.0, 0.25, 2.0])
def test_r1_weighs_half_of_gamma_on_the_average_batch(
    gamma: float, fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """A discriminator w.x that no step moves has the penalty |w|^2: over 32 batches its mean weight is gamma / 2."""
    model = small(r1_gamma=gamma, learning_rate=0.0)
    model.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(9 * 6, 1), nn.Flatten(0))  # type: ignore[assignment]
    w = model.discriminator.get_parameter("1.weight")
    batches = toy_batches(SHAPE, count=32)
    minimised: list[Tensor] = []
    backward = model.manual_backward

    def spy(loss: Tensor, *args: Any, **kwargs: Any) -> None:
        minimised.append(loss.detach().clone())
        backward(loss, *args, **kwargs)

    model.manual_backward = spy  # type: ignore[method-assign]
    fit(model, batches, Referee(lambda player, batch: None))
    fake: Tensor = model.generator(torch.randn(4, LATENT, generator=torch.Generator().manual_seed(NOISE_SEED)))
    plain = torch.stack(
        [F.softplus(-model.discriminator(x)).mean() + F.softplus(model.discriminator(fake)).mean() for x, _ in batches]
    )
    added = torch.stack(minimised[::2]) - plain.detach()
    assert added.mean().item() == pytest.approx(gamma / 2 * float((w.detach() ** 2).sum()), rel=1e-4, abs=1e-6)
    penalised = [batch for batch, extra in enumerate(added) if abs(extra) > 1e-4]
    assert penalised == ([0, 16] if gamma else [])


@both
def test_penalties_are_computed_in_float32_under_autocast(architecture: str) -> None:
    """Also those of generated images, which autocast gives in bfloat16."""
    model, x = small(architecture=architecture, penalty="r1+r2"), torch.randn(4, *SHAPE)
    fake = x.bfloat16()
    plain = model.penalties((x, fake))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.penalties((x, fake))
    assert mixed.dtype == torch.float32
    assert torch.equal(plain, mixed)


def test_the_generators_backward_leaves_no_gradient_on_the_discriminator(
    fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    model = small()
    held: list[Tensor] = []

    def before(player: str, batch: int) -> None:
        gradients = [parameter.grad.clone() for parameter in model.discriminator.parameters()]  # type: ignore[union-attr]
        if player == "discriminator":
            held[:] = gradients
            assert all(parameter.grad is None or batch > 0 for parameter in model.generator.parameters())
        else:
            assert same(held, gradients)
            assert not any(parameter.requires_grad for parameter in model.discriminator.parameters())

    fit(model, toy_batches(SHAPE, count=2), Referee(before))
    assert all(parameter.requires_grad for parameter in model.parameters()), "handed back as they were"


def test_both_rates_decay_to_zero_from_the_same_peak(fit: Callable[..., L.Trainer], toy_batches: Any) -> None:
    rates: dict[str, list[float]] = {"discriminator": [], "generator": []}
    model = small(learning_rate=0.01)
    settings: list[Any] = []

    def before(player: str, batch: int) -> None:
        optimizer = model.trainer.optimizers[("discriminator", "generator").index(player)]
        settings.append(optimizer.param_groups[0]["betas"])
        rates[player].append(optimizer.param_groups[0]["lr"])

    trainer = fit(model, toy_batches(SHAPE, count=10), Referee(before))
    assert rates["discriminator"] == rates["generator"]
    assert rates["generator"][0] == 0.01
    assert rates["generator"][5] == pytest.approx(0.005), "half of it at half of the budget"
    assert rates["generator"] == sorted(rates["generator"], reverse=True)
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == pytest.approx([0, 0], abs=1e-15)
    assert set(settings) == {(0.0, 0.99)}, "Adam without momentum, as the source says"


def test_a_discriminator_that_trains_alone_tells_real_from_fake(
    fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """The signs of its labels: real images end above zero and fakes below, while the generator stands still."""
    model = small(learning_rate=0.01, r1_gamma=0.0)
    frozen = copy.deepcopy(model.generator)
    model.generator = frozen.requires_grad_(True)
    still = parameters(frozen)

    def after(player: str, batch: int) -> None:
        if player == "generator":
            with torch.no_grad():
                for parameter, value in zip(model.generator.parameters(), still, strict=True):
                    parameter.copy_(value)

    batches = toy_batches(SHAPE, count=1) * 40
    fit(model, batches, Referee(lambda player, batch: None, after))
    z = torch.randn(4, LATENT, generator=torch.Generator().manual_seed(NOISE_SEED))
    with torch.no_grad():
        assert (model.discriminator(batches[0][0]) > 0).all()
        assert (model.discriminator(model.generator(z)) < 0).all()


@both
def test_samples_are_the_generators_images_of_draws_from_the_prior(architecture: str) -> None:
    model = small(architecture=architecture)
    z = torch.randn(5, LATENT, generator=torch.Generator().manual_seed(3))
    drawn = model.sample(5, torch.Generator().manual_seed(3))
    assert torch.equal(drawn, model.generator(z).detach())


def test_the_fully_connected_players_are_the_autoencoders_networks_of_the_width_that_is_asked_for() -> None:
    """Images in range, unbounded logits of one image each, and other random weights for either player."""
    model = GAN(DataSpec((2, 1, 1)), latent_dim=LATENT, architecture="linear", hidden=24)
    widths = {layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)}
    assert widths == {24, 2, 1}
    with torch.no_grad():
        images = model.generator(100 * torch.randn(64, LATENT))
        logits = model.discriminator(100 * torch.randn(64, 2, 1, 1))
    assert images.shape == (64, 2, 1, 1)
    assert 0.9 < images.abs().max() <= 1
    assert logits.shape == (64,)
    assert logits.abs().max() > 10
