"""The chain against the diffusion process's closed forms, and who learns what from a batch."""

from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import DataSpec
from models.ddgan import DenoisingDiffusionGAN, posterior_coefficients
from models.diffusion.process import Process, vp_beta

SHAPE = (1, 9, 6)
every_T = pytest.mark.parametrize("T", [1, 2, 4, 8])
both = pytest.mark.parametrize("architecture", ["conv", "linear"])


def small(**changes: Any) -> DenoisingDiffusionGAN:
    settings: dict[str, Any] = {"T": 3, "latent_dim": 4, "channels": [8, 8], "width": 8, "hidden": 16}
    model = DenoisingDiffusionGAN(DataSpec(SHAPE), **(settings | changes))
    with torch.no_grad():  # layers that start at zero do not stay there
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


class Oracle(nn.Module):
    """A generator that knows x_0, and keeps what it is given."""

    def __init__(self, x_0: Tensor) -> None:
        super().__init__()
        self.x_0 = x_0
        self.inputs: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        self.inputs.append((x_t, t, z))
        return self.x_0


@every_T
def test_a_step_back_is_the_processs_posterior(T: int) -> None:
    model = small(T=T)
    x_t, x_0, eps = torch.randn(3, 5, *SHAPE)
    for t in range(1, T + 1):
        mean, variance = model.process.posterior(x_t, x_0, t, t - 1)
        expected = mean + variance**0.5 * eps
        torch.testing.assert_close(model.step_back(x_t, x_0, torch.full((5,), t), eps), expected)
    mixed = torch.arange(5) % T + 1
    apart = [model.step_back(x_t[i : i + 1], x_0[i : i + 1], mixed[i : i + 1], eps[i : i + 1]) for i in range(5)]
    assert torch.equal(model.step_back(x_t, x_0, mixed, eps), torch.cat(apart)), "each image at its own time"


@every_T
def test_the_chain_with_the_exact_x_0_has_the_processs_moments(T: int) -> None:
    """x_s = m x_0 + sqrt(v) noise with m = sqrt(alpha_bar), v = 1 - alpha_bar; pairs covary as in the forward step."""
    process = Process(vp_beta(T))
    coefficients = posterior_coefficients(process)
    alpha_bar = process.alpha_bar
    m, v = alpha_bar[T].sqrt(), 1 - alpha_bar[T]
    for t in range(T, 0, -1):
        of_x_0, of_x_t, of_eps = coefficients[t - 1]
        forward = (alpha_bar[t] / alpha_bar[t - 1]).sqrt()  # x_t = forward x_(t-1) + noise
        torch.testing.assert_close(of_x_t * v, forward * (1 - alpha_bar[t - 1]), rtol=1e-10, atol=1e-12)
        m, v = of_x_0 + of_x_t * m, of_x_t**2 * v + of_eps**2
        torch.testing.assert_close(m, alpha_bar[t - 1].sqrt(), rtol=1e-10, atol=0)
        torch.testing.assert_close(v, 1 - alpha_bar[t - 1], rtol=1e-10, atol=1e-12)
    assert (m.item(), v.item()) == (1, 0)


@every_T
def test_a_sample_is_t_passes_down_the_chain_and_ends_at_the_generators_x_0(T: int) -> None:
    model, x_0 = small(T=T), torch.rand(6, *SHAPE)
    model.generator = oracle = Oracle(x_0)
    assert torch.equal(model.sample(6, torch.Generator().manual_seed(2)), x_0)
    assert [t.tolist() for _, t, _ in oracle.inputs] == [[t] * 6 for t in range(T, 0, -1)]
    x_T = torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(2))
    assert torch.equal(oracle.inputs[0][0], x_T), "pure noise"
    latents = torch.stack([z for *_, z in oracle.inputs])
    assert len(latents.unique()) == latents.numel() == T * 6 * 4, "a new z at every step"


@both
@torch.no_grad()
def test_x_0_is_a_function_of_x_t_exactly_where_there_is_no_z(architecture: str) -> None:
    x_t, t = torch.randn(5, *SHAPE), torch.arange(5) % 3 + 1
    for latent_dim in (0, 4):
        model = small(latent_dim=latent_dim, architecture=architecture)
        first, second = (model.generator(x_t, t, torch.randn(5, latent_dim)) for _ in range(2))
        assert torch.equal(first, second) is (latent_dim == 0)


class Watch(L.Callback):
    """Calls `look(player, batch)` before every optimizer's step; each batch draws the same random numbers."""

    def __init__(self, look: Callable[[str, int], None]) -> None:
        self.look, self.batch = look, -1

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for player, optimizer in zip(("discriminator", "generator"), trainer.optimizers, strict=True):
            optimizer.register_step_pre_hook(lambda *_, player=player: self.look(player, self.batch))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.batch = batch_idx
        torch.manual_seed(7)


@both
def test_each_player_follows_the_gradient_of_its_own_loss(
    architecture: str, fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """Recomputed at each step's weights from the process's own posterior; batch 0 carries R1, batch 1 does not."""
    gamma = 0.5
    model, batches = small(r1_gamma=gamma, architecture=architecture), toy_batches(SHAPE, count=2)
    checked: list[tuple[str, int]] = []

    def drawn(x_0: Tensor) -> tuple[Tensor, ...]:
        rng = torch.Generator().manual_seed(7)
        t, z = torch.randint(1, 4, (4,), generator=rng), torch.randn(4, 4, generator=rng)
        eps, of_real, of_fake = (torch.randn(4, *SHAPE, generator=rng) for _ in range(3))
        x_t = model.process.q_sample(x_0, t, eps)
        guess = model.generator(x_t, t, z)
        pairs = []
        for clean, noise in ((x_0, of_real), (guess, of_fake)):
            rows = [model.process.posterior(x_t[i], clean[i], int(t[i]), int(t[i]) - 1) for i in range(4)]
            pairs.append(torch.stack([mean + v**0.5 * noise[i] for i, (mean, v) in enumerate(rows)]))
        return x_t, t, *pairs

    def look(player: str, batch: int) -> None:
        with torch.enable_grad():
            x_t, t, real, fake = drawn(batches[batch][0])
            if player == "generator":
                loss = F.softplus(-model.discriminator(fake, x_t, t)).mean()
            else:
                loss = F.softplus(-model.discriminator(real, x_t, t)).mean()
                loss = loss + F.softplus(model.discriminator(fake.detach(), x_t, t)).mean()
                if batch == 0:
                    x_s = real.detach().clone().requires_grad_()
                    (slope,) = torch.autograd.grad(model.discriminator(x_s, x_t, t).sum(), x_s, create_graph=True)
                    loss = loss + 16 * gamma / 2 * slope.square().sum() / 4
            mine = list(getattr(model, player).named_parameters())
            expected = torch.autograd.grad(loss, [parameter for _, parameter in mine])
        for (name, parameter), gradient in zip(mine, expected, strict=True):
            assert parameter.grad is not None
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6), name
        other = model.generator if player == "discriminator" else model.discriminator
        assert all(parameter.requires_grad is False for parameter in other.parameters()), "moves in its own turn"
        checked.append((player, batch))

    fit(model, batches, Watch(look))
    assert checked == [("discriminator", 0), ("generator", 0), ("discriminator", 1), ("generator", 1)]


def test_r1_is_of_the_earlier_image_alone() -> None:
    """D = w.x_s + v.x_t + t has the penalty |w|^2 whatever v is, with half of gamma on the average of 16 batches."""

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.v = (nn.Parameter(torch.randn(SHAPE)) for _ in range(2))

        def forward(self, x_s: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
            return (self.w * x_s + self.v * x_t).flatten(1).sum(1) + t

    model = small(r1_gamma=0.3)
    model.discriminator = linear = Linear()
    x_s, x_t = torch.randn(2, 5, *SHAPE)
    penalty = model.penalties((x_s, torch.randn_like(x_s), x_t, torch.ones(5)))
    torch.testing.assert_close(penalty, 16 * 0.15 * linear.w.square().sum())
    of_w, of_v = torch.autograd.grad(penalty, [linear.w, linear.v], allow_unused=True)
    torch.testing.assert_close(of_w, 16 * 0.3 * linear.w)
    assert of_v is None


def test_an_odd_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^channels=\[7, 8\]: the first entry must be even"):
        small(channels=[7, 8])
