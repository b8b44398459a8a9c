"""The NCSN's assembly: its levels, what its loss asks of the network, and which sampler its settings mean."""

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.diffusion.langevin import annealed_langevin
from models.diffusion.noise_levels import geometric, langevin_step_size, overlapping_ratio
from models.diffusion.sampler_settings import SamplerSettings
from models.diffusion.samplers import ddim
from models.diffusion.solvers import dpm_solver_2m, heun
from models.ncsn import NCSN, STEPS, solver_settings

SHAPE = (1, 6, 5)


def small(**changes: Any) -> NCSN:
    settings: dict[str, Any] = {"channels": [16], "warmup": 1, "sigma_max": 8.0, "sigma_min": 0.1, "levels": 9}
    return NCSN(DataSpec(SHAPE), **(settings | changes))


def shaken(**changes: Any) -> NCSN:
    model = small(**changes)
    nn.init.normal_(model.network.get_parameter("out.weight"), std=0.3)
    return model.eval()


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


class Oracle(nn.Module):
    """Knows x_0, and so the exact velocity (eps - sigma x_0) / sqrt(1 + sigma^2) behind y = x_0 + sigma eps.

    The network's input is y / sqrt(1 + sigma^2).
    """

    def __init__(self, sigmas: Tensor, x_0: Tensor) -> None:
        super().__init__()
        self.sigmas, self.x_0 = sigmas, x_0
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.asked.append(t)
        sigma = self.sigmas[t - 1].view(-1, 1, 1, 1)
        scale = (1 + sigma.square()).sqrt()
        eps = (x.double() * scale - self.x_0) / sigma
        return ((eps - sigma * self.x_0) / scale).float()


def with_oracle(x_0: Tensor, **changes: Any) -> tuple[NCSN, Oracle]:
    model = small(**changes)
    oracle = Oracle(geometric(8.0, 0.1, 9), x_0)
    model.network = oracle
    model.log_losses = lambda **losses: None  # type: ignore[method-assign]
    return model, oracle


def test_the_loss_of_a_network_that_knows_the_noise_is_zero() -> None:
    x_0 = torch.rand(63, *SHAPE) * 2 - 1
    model, oracle = with_oracle(x_0)
    assert model.training_step((x_0, torch.zeros(63)), 0).item() < 1e-8
    assert (torch.bincount(oracle.asked[0]) - 7)[1:].abs().max() <= 1, "every level equally often"
    oracle.x_0 = x_0.flip(0)
    assert model.training_step((x_0, torch.zeros(63)), 0).item() > 1


def test_a_silent_network_takes_images_for_noise_of_unit_variance() -> None:
    """v = 0: E[x_0 | y] = y / (1 + sigma^2), of which eps is sigma y / (1 + sigma^2)."""
    model, y = small(), torch.randn(9, *SHAPE)
    sigma = geometric(8.0, 0.1, 9).float().view(-1, 1, 1, 1)
    x_t = y / (1 + sigma.square()).sqrt()
    eps = model.predicted_eps(model.network, x_t, torch.arange(1, 10))
    torch.testing.assert_close(eps, sigma * y / (1 + sigma.square()))


def test_levels_are_those_of_the_second_papers_rules_where_no_number_is_given() -> None:
    model = NCSN(DataSpec((1, 28, 28)), channels=[8])
    assert model.process.T == 95
    sigmas = (-model.process.half_log_snr[1:]).exp()
    torch.testing.assert_close(sigmas, geometric(34.0, 0.02, 95), rtol=1e-9, atol=0)
    assert model.ratio == pytest.approx(overlapping_ratio(784), rel=2e-3)


def test_the_first_papers_levels_are_a_setting() -> None:
    model = NCSN(DataSpec((1, 28, 28)), channels=[8], sigma_max=2.0, sigma_min=0.02, levels=10)
    assert model.passes(steps=100, step_size=8e-5) == 1001
    assert model.ratio == pytest.approx(100 ** (1 / 9))


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("step_size", [None, 0.003])
def test_langevin_is_its_sampler_from_the_generators_uniform_noise(steps: int | None, step_size: float | None) -> None:
    model = shaken()
    drawn = model.sample(3, seeded(), steps=steps, step_size=step_size)
    generator = seeded()
    y = 2 * torch.rand(3, *SHAPE, generator=generator) - 1
    per_level = steps or STEPS
    epsilon = step_size or langevin_step_size(0.1, 80 ** (1 / 8), per_level)
    with torch.no_grad():
        expected = annealed_langevin(model.denoiser(y, 1), model.process, y, per_level, epsilon, generator)
    torch.testing.assert_close(drawn, expected.clamp(-1, 1), rtol=1e-5, atol=1e-5)
    assert drawn.abs().max() <= 1


def test_a_solver_is_that_of_the_process_from_the_generators_first_noise() -> None:
    model = shaken()
    for method in ("dpm-solver", "heun"):
        drawn = model.sample(3, seeded(), method=method, steps=5, grid="karras")  # type: ignore[arg-type]
        x_T = torch.randn(3, *SHAPE, generator=seeded())
        visited = SamplerSettings("heun", 5, "karras").visited(model.process)
        with torch.no_grad():
            if method == "heun":
                expected = heun(model.denoiser(x_T, 1), model.process, x_T, visited)
            else:
                expected = dpm_solver_2m(model.denoiser(x_T, 1), model.process, x_T, visited, seeded())
        assert torch.equal(drawn, expected)


def test_with_the_exact_noise_every_sampler_returns_the_image_that_it_hides() -> None:
    x_0 = torch.rand(3, *SHAPE) * 2 - 1
    model, _ = with_oracle(x_0)
    for settings in (
        {"steps": 2}, {"method": "ancestral"}, {"method": "ddim", "steps": 4},
        {"method": "dpm-solver", "steps": 4, "grid": "karras"}, {"method": "heun", "steps": 4, "grid": "log-snr"},
        {"method": "unipc", "steps": 4, "grid": "karras"},
    ):  # fmt: skip
        drawn = model.sample(3, torch.Generator().manual_seed(0), **settings)
        torch.testing.assert_close(drawn, x_0, rtol=0, atol=2e-5)


def test_euler_in_the_units_of_the_images_is_ddim_in_those_of_the_process() -> None:
    """The probability-flow ODE dy / dsigma = eps, written without the process; the same network, and its own noise."""
    model, visited = shaken(), [9, 6, 3, 1, 0]
    sigma = [0.0, *geometric(8.0, 0.1, 9).tolist()]
    x_T = torch.randn(3, *SHAPE, generator=seeded())
    y = x_T.double() * (1 + sigma[9] ** 2) ** 0.5
    with torch.no_grad():
        for t, s in itertools.pairwise(visited):
            eps = model.denoiser(x_T, 1)((y / (1 + sigma[t] ** 2) ** 0.5).float(), torch.full((3,), t))
            x_0 = (y - sigma[t] * eps).clamp(-1, 1)
            y = y + (sigma[s] - sigma[t]) * (y - x_0) / sigma[t]
        expected = ddim(model.denoiser(x_T, 1), model.process, x_T, visited, seeded())
    torch.testing.assert_close(y.float(), expected, rtol=1e-4, atol=1e-4)


def test_the_check_of_a_sampler_assumes_what_sampling_does() -> None:
    parameters = inspect.signature(NCSN.sample).parameters
    names = [name for name in parameters if name not in ("self", "n", "generator")]
    defaults = {name: parameters[name].default for name in names}
    assert solver_settings(**defaults) is None
    solvers = {name: value for name, value in defaults.items() if name not in ("steps", "step_size")}
    assert solver_settings(**solvers | {"method": "ddim"}) == SamplerSettings("ddim")


@pytest.mark.parametrize(("settings", "message"), [
    ({"grid": "karras"}, "grid=karras: method=langevin .* leave grid out, or choose ancestral, ddim"),
    ({"eta": 0.5}, "eta=0.5: method=langevin"),
    ({"step_size": 0.03}, "step_size=0.03: .* diverge .* less than 0.02"),
    ({"method": "ddim", "step_size": 0.001}, "step_size=0.001: method=ddim"),
    ({"method": "ddim", "steps": 10}, "steps=10 .* T=9"),
    ({"method": "heun", "eta": 0.5}, "eta=0.5: method=heun draws no noise"),
])  # fmt: skip
def test_settings_of_a_sampler_that_do_not_fit_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small().check_sampler(**settings)


def test_levels_that_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"sigma_min=2: choose a value below sigma_max=1"):
        small(sigma_min=2.0, sigma_max=1.0)
    with pytest.raises(ValueError, match=r"levels=null: .* needs 5 values an image, not 2; choose a number"):
        NCSN(DataSpec((2, 1, 1)), architecture="linear")
    with pytest.raises(ValueError, match=r"channels=\[7\]"):
        small(channels=[7])


def test_the_fully_connected_network_learns_two_points_of_the_plane(fit: Callable[..., L.Trainer]) -> None:
    """Samples lie at one of them, half at each, by Langevin dynamics and by a solver; five standard errors."""
    network = {"architecture": "linear", "hidden": 64, "blocks": 2, "learning_rate": 5e-3, "warmup": 10}
    model = NCSN(DataSpec((2, 1, 1)), sigma_max=2.0, sigma_min=0.02, levels=30, **network)  # type: ignore[arg-type]
    points = torch.tensor([[-0.6, 0.2], [0.6, -0.2]]).view(2, 2, 1, 1)
    fit(model, [(points.repeat(64, 1, 1, 1), torch.zeros(128))] * 300)
    for settings in ({"steps": 5}, {"method": "dpm-solver", "steps": 10, "grid": "karras"}):
        drawn = model.sample(1000, torch.Generator().manual_seed(0), **settings)
        distances = torch.cdist(drawn.flatten(1), points.flatten(1))
        assert (distances.min(1).values < 0.1).float().mean() > 0.9
        assert (distances[:, 0] < distances[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.08)
