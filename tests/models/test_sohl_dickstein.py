"""The assembly of Sohl-Dickstein et al.'s model: its loss, its samples and its bound, with either kernel."""

import itertools
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.diffusion.bound import borders
from models.losses import bits_per_dim
from models.protocols import BoundsLikelihood, Diffuses
from models.sohl_dickstein import TIMES, SohlDickstein

SHAPE = (2, 6, 5)
both = pytest.mark.parametrize("kernel", ["gaussian", "binomial"])


def small(**changes: Any) -> SohlDickstein:
    settings: dict[str, Any] = {"T": 6, "channels": [16], "warmup": 1}
    model = SohlDickstein(DataSpec(SHAPE), **(settings | changes))
    model.log_losses = lambda **losses: None  # type: ignore[method-assign]
    return model


def shaken(**changes: Any) -> SohlDickstein:
    model = small(**changes)
    nn.init.normal_(model.network.get_parameter("out.weight"), std=0.3)
    return model.eval()


def levels(n: int) -> Tensor:
    return torch.randint(0, 256, (n, *SHAPE)) / 127.5 - 1


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_a_silent_network_starts_at_fair_coins_for_the_whole_bound() -> None:
    """Binomial, f = 0: of every bit, the bound of the forward process run backwards is one bit, if T is its sum.

    With f = 0 the model draws fair coins and its reverse process is the exact one of fair coins, so the bound is exact.
    """
    model, x = small(kernel="binomial"), levels(3000)
    assert model.training_step((x, torch.zeros(3000)), 0).item() == pytest.approx(1, abs=0.01)
    (bound,) = model.bits_per_dim(x[:500], seeded())
    assert bound.bits.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("kernel", "name"), [("gaussian", "bits_per_dim"), ("binomial", "binary_bits_per_dim")])
def test_bits_of_binary_images_are_logged_by_a_name_of_their_own(kernel: str, name: str) -> None:
    model, logged = small(kernel=kernel), dict[str, Tensor]()
    model.log_losses = logged.update  # type: ignore[method-assign]
    loss = model.training_step((levels(4), torch.zeros(4)), 0)
    assert logged == {"loss": loss, name: loss}


@both
def test_the_loss_is_the_mean_of_the_bound(kernel: str) -> None:
    """Over many draws, in five standard errors; all terms are visited by the bound, one an image by the loss."""
    model, x = shaken(kernel=kernel), levels(4)
    with torch.no_grad():
        losses = torch.stack([model.training_step((x.repeat(50, 1, 1, 1), torch.zeros(200)), 0) for _ in range(30)])
    bounds = torch.stack([model.bits_per_dim(x, seeded().manual_seed(k))[0].bits.mean() for k in range(60)])
    error = (losses.var() / len(losses) + bounds.var() / len(bounds)).sqrt().item()
    assert losses.mean().item() == pytest.approx(bounds.mean().item(), abs=5 * error)


@both
@pytest.mark.parametrize("steps", [3, 6, 30])
def test_fewer_strata_estimate_the_same_sum(kernel: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = shaken(kernel=kernel, T=steps), levels(300)
    estimates = []
    for most in (2, 29):
        monkeypatch.setattr("models.sohl_dickstein.TIMES", most)
        estimates.append(model.bits_per_dim(x.repeat(4, 1, 1, 1), seeded())[0].terms["L_1:T-1"])
    error = sum(float(e.var()) / len(e) for e in estimates) ** 0.5
    assert estimates[0].mean().item() == pytest.approx(estimates[1].mean().item(), abs=5 * error + 1e-6)


@both
def test_the_bound_is_the_sum_of_the_steps_terms_and_says_of_what_images(kernel: str) -> None:
    model, x = shaken(kernel=kernel), levels(3)
    (bound,) = model.bits_per_dim(x, seeded())
    generator, nats = seeded(), []
    with torch.no_grad():
        for t in (2, 3, 4, 5, 6, 1):
            if t > 1:
                torch.randint(1, (3,), generator=generator)
            noise = model.kernel.draw(3, *SHAPE, generator=generator)
            nats.append(model.divergence(model.kernel.states(x), torch.full((3,), t), noise))
    terms = {"L_1:T-1": torch.stack(nats[:-1]).sum(0), "L_0": nats[-1]}
    for name, term in terms.items():
        torch.testing.assert_close(bound.terms[name], bits_per_dim(term, 60))
    torch.testing.assert_close(bound.bits, bound.terms["L_1:T-1"] + bound.terms["L_0"])
    assert bound.levels == {"gaussian": 256, "binomial": 2}[kernel]


@both
def test_a_long_process_costs_a_pass_a_stratum(kernel: str) -> None:
    model, x = shaken(kernel=kernel, T=300), levels(2)
    asked: list[Tensor] = []
    model.network.register_forward_pre_hook(lambda network, inputs: asked.append(inputs[1]))
    model.bits_per_dim(x, seeded())
    assert len(asked) == TIMES + 1
    assert asked[-1].tolist() == [1, 1]
    for t, (first, end) in zip(asked, itertools.pairwise(borders(300, TIMES)), strict=False):
        assert ((t >= first) & (t < end)).all()


@both
def test_every_binary_image_costs_what_its_levels_do(kernel: str) -> None:
    """Binomial: images that differ on one side of the middle level are the same to it, and to the Gaussian not."""
    model, x = shaken(kernel=kernel), levels(3)
    same = (x.sign() * (0.5 + x.abs() / 2) * 127.5 + 127.5).round() / 127.5 - 1
    (one,), (other,) = model.bits_per_dim(x, seeded()), model.bits_per_dim(same, seeded())
    assert torch.equal(one.bits, other.bits) == (kernel == "binomial")


def test_samples_of_bits_are_bits_and_of_gaussians_are_not() -> None:
    assert set(shaken(kernel="binomial").sample(5, seeded()).unique().tolist()) == {-1.0, 1.0}
    assert len(small().sample(5, seeded()).unique()) > 100


@both
def test_sampling_is_the_reverse_chain_from_the_generators_noise(kernel: str) -> None:
    model = shaken(kernel=kernel)
    drawn, generator = model.sample(3, seeded()), seeded()
    noise = model.kernel.draw(3, *SHAPE, generator=generator)
    x = noise if kernel == "gaussian" else torch.where(noise < 0.5, 1.0, -1.0)
    with torch.no_grad():
        for t in range(6, 0, -1):
            times = torch.full((3,), t)
            x = model.kernel.reverse(
                x, times, model.network(x, times), model.kernel.draw(3, *SHAPE, generator=generator)
            )
    assert torch.equal(drawn, x.clamp(-1, 1))


@both
def test_the_chains_that_are_drawn(kernel: str) -> None:
    model, x = shaken(kernel=kernel), levels(3)
    chain = model.forward_chain(x, [0, 3, 6], seeded())
    assert torch.equal(chain[0], model.kernel.states(x))
    assert torch.equal(chain[2], model.forward_chain(-x, [6], seeded())[0])
    frames = list(model.trajectory(3, seeded(), 2))
    assert [t for t, _ in frames] == [6, 3, 0]
    assert torch.equal(frames[-1][1].clamp(-1, 1), model.sample(3, seeded()))
    with pytest.raises(ValueError, match=r"steps=7 .* T=6"):
        model.trajectory(1, seeded(), 7)
    assert isinstance(model, Diffuses)
    assert isinstance(model, BoundsLikelihood)


def test_bits_of_points_and_an_odd_width_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="kernel=binomial: .* the data are points; choose gaussian"):
        SohlDickstein(DataSpec((2, 1, 1)), kernel="binomial", architecture="linear")
    with pytest.raises(ValueError, match=r"channels=\[7\]"):
        small(channels=[7])


def test_it_learns_the_distribution_of_two_binary_images(fit: Callable[..., L.Trainer]) -> None:
    """Which cost one bit together: a bound near it, and samples that are one or the other, half of each."""
    model = SohlDickstein(DataSpec((1, 4, 4)), kernel="binomial", T=20, architecture="linear", hidden=64, blocks=2,
                          learning_rate=5e-3, warmup=10)  # fmt: skip
    x = torch.ones(1, 4, 4)
    x[:, :, ::2] = -1
    images = torch.stack([x, -x])
    fit(model, [(images.repeat(64, 1, 1, 1), torch.zeros(128))] * 300)
    (bound,) = model.bits_per_dim(images.repeat(100, 1, 1, 1), seeded())
    assert 1 / 16 < bound.bits.mean().item() < 1.6 / 16
    drawn = model.sample(500, seeded())
    agreement = (drawn * x).flatten(1).mean(1)
    assert (agreement.abs() > 0.99).float().mean() > 0.9
    assert (agreement > 0).float().mean().item() == pytest.approx(0.5, abs=0.12)


def test_the_gaussian_learns_two_points_of_the_plane(fit: Callable[..., L.Trainer]) -> None:
    network = {"architecture": "linear", "hidden": 64, "blocks": 2, "learning_rate": 5e-3, "warmup": 10}
    model = SohlDickstein(DataSpec((2, 1, 1)), T=50, **network)  # type: ignore[arg-type]
    points = torch.tensor([[-0.6, 0.2], [0.6, -0.2]]).view(2, 2, 1, 1)
    fit(model, [(points.repeat(64, 1, 1, 1), torch.zeros(128))] * 300)
    drawn = model.sample(1000, seeded())
    distances = torch.cdist(drawn.flatten(1), points.flatten(1))
    assert (distances.min(1).values < 0.1).float().mean() > 0.9
    assert (distances[:, 0] < distances[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.1)
