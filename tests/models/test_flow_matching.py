"""Flow matching's assembly: what its loss asks of the network, what its samplers draw, and its likelihood."""

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models import flow_matching
from models.base import DataSpec
from models.flow_matching import LEVEL, LIKELIHOOD_STEPS, TIME_SCALE, FlowMatching
from models.flows.likelihood import log_likelihood
from models.flows.path import draw_times
from models.flows.solvers import Method, solve
from models.protocols import BoundsLikelihood
from tests.models.flows.gaussian import Gaussian

SHAPE = (1, 6, 5)
METHODS: list[Method] = ["euler", "heun"]


def small(**changes: Any) -> FlowMatching:
    settings: dict[str, Any] = {"channels": [16], "warmup": 1}
    return FlowMatching(DataSpec(SHAPE), **(settings | changes))


class Exact(nn.Module):
    """The velocity of a Gaussian's flow, at the network's times."""

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.asked: list[Tensor] = []

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        self.asked.append(t)
        return self.gaussian.velocity(z.double(), t.double() / TIME_SCALE).float()


def exact(gaussian: Gaussian, **changes: Any) -> tuple[FlowMatching, Exact]:
    model, network = small(**changes), Exact(gaussian)
    model.network = network
    model.log_losses = lambda **losses: None
    return model, network


def test_the_loss_of_a_network_that_knows_the_image_is_zero() -> None:
    """Of one image everywhere: its velocity (z - x) / t is eps - x."""
    model, _ = exact(Gaussian(0.4, 0.0))
    x = torch.full((64, *SHAPE), 0.4)
    assert model.training_step((x, torch.zeros(64)), 0).item() < 1e-8
    assert model.training_step((x + 1, torch.zeros(64)), 0).item() > 0.5


@pytest.mark.parametrize("times", ["logit-normal", "uniform"])
def test_the_least_loss_of_a_gaussian_is_the_variance_of_its_paths(times: Any) -> None:
    """Var[eps - x | z_t] = deviation^2 / variance_t, its mean over the times; within four standard errors, at most."""
    gaussian, n = Gaussian(0.3, 0.5), 20_000
    model, network = exact(gaussian, times=times)
    x = 0.3 + 0.5 * torch.randn(n, *SHAPE)
    loss = model.training_step((x, torch.zeros(n)), 0).item()
    t = network.asked[0].double() / TIME_SCALE
    torch.testing.assert_close(
        t.sort().values, draw_times(times, n, t.device).double().sort().values, rtol=0, atol=1e-2
    )
    least = 0.25 / gaussian.moments(t)[1].flatten()
    assert loss == pytest.approx(least.mean().item(), abs=4 * (2 * least.square().mean().item() / (30 * n)) ** 0.5)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("method", METHODS)
def test_a_sample_is_its_solver_from_the_generators_noise(method: Method, steps: int) -> None:
    model = small()
    nn.init.normal_(model.network.get_parameter("out.weight"), std=0.1)
    model.eval()
    drawn = model.sample(3, torch.Generator().manual_seed(4), method=method, steps=steps)
    z = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = solve(method, model.velocity, z, steps)
    torch.testing.assert_close(drawn, expected.clamp(-1, 1))


@pytest.mark.parametrize("method", METHODS)
def test_samples_have_the_distribution_that_the_velocity_belongs_to(method: Method) -> None:
    model, _ = exact(Gaussian(0.1, 0.2))
    drawn = model.sample(2000, torch.Generator().manual_seed(0), method=method, steps=100)
    values, solver = 2000 * 30, {"euler": 5e-3, "heun": 1e-3}[method]
    assert drawn.mean().item() == pytest.approx(0.1, abs=4 * 0.2 / values**0.5 + 1e-3)
    assert drawn.std().item() == pytest.approx(0.2, abs=4 * 0.2 / (2 * values) ** 0.5 + solver)


def levels(n: int) -> Tensor:
    return torch.randint(64, 192, (n, *SHAPE)) / 127.5 - 1


def test_the_bits_of_a_gaussian_are_those_of_its_density_at_the_dequantised_images() -> None:
    """Its Jacobian is diagonal, so that random signs give the trace without error; what is left is the solver's."""
    gaussian, x = Gaussian(0.1, 0.4), levels(16)
    model, network = exact(gaussian)
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    assert len(network.asked) == 4 * LIKELIHOOD_STEPS
    u = torch.rand(x.shape, generator=torch.Generator().manual_seed(6))
    density = torch.distributions.Normal(0.1, 0.4).log_prob(x + (u - 0.5) * LEVEL).flatten(1).mean(1)
    expected = -density / math.log(2) - math.log2(LEVEL)
    torch.testing.assert_close(bound.bits, expected, rtol=0, atol=1e-3)


def test_the_bits_are_an_upper_bound_on_a_gaussians_probabilities_of_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Jensen, on average over the noise; of a Gaussian as narrow as two levels it is not tight."""
    monkeypatch.setattr(flow_matching, "LIKELIHOOD_STEPS", 64)
    gaussian = Gaussian(0.0, 2 * LEVEL)
    k = torch.randint(120, 136, (500, *SHAPE)).double()
    x = (k / 127.5 - 1).float()
    model, _ = exact(gaussian)
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(0))
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 2 * LEVEL)
    edges = [normal.cdf((k + offset) / 127.5 - 1) for offset in (-0.5, 0.5)]
    probabilities = -(edges[1] - edges[0]).log2().flatten(1).mean(1)
    gap = (bound.bits.double() - probabilities).mean().item()
    assert 0 < gap < 0.1


def test_the_bits_leave_mode_gradients_and_random_numbers_as_they_were() -> None:
    model, x = small(), levels(2)
    assert isinstance(model, BoundsLikelihood)
    rng = torch.get_rng_state()
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(0))
    assert torch.equal(rng, torch.get_rng_state())
    assert model.training
    assert not bound.bits.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_untrained_network_prices_images_by_the_noise_it_takes_them_for() -> None:
    """Its velocity is zero, so that z_1 is the dequantised image."""
    model, x = small(), levels(3)
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    u = torch.rand(x.shape, generator=torch.Generator().manual_seed(6))
    y = x + (u - 0.5) * LEVEL
    nats = -log_likelihood(lambda z, t: 0 * z, y, torch.ones_like(y), 1)
    torch.testing.assert_close(bound.bits, nats / (30 * math.log(2)) - math.log2(LEVEL))


def test_the_fully_connected_network_learns_two_points_of_the_plane(fit: Callable[..., L.Trainer]) -> None:
    """Samples lie at one of them, half at each, but for those whose path passes between; five standard errors."""
    model = FlowMatching(DataSpec((2, 1, 1)), architecture="linear", hidden=64, blocks=2, learning_rate=5e-3, warmup=10)
    points = torch.tensor([[-0.6, 0.2], [0.6, -0.2]]).view(2, 2, 1, 1)
    fit(model, [(points.repeat(64, 1, 1, 1), torch.zeros(128))] * 300)
    drawn = model.sample(1000, torch.Generator().manual_seed(0))
    distances = torch.cdist(drawn.flatten(1), points.flatten(1))
    assert (distances.min(1).values < 0.1).float().mean() > 0.8
    assert (distances[:, 0] < distances[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_an_odd_first_width_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"channels=\[7\]"):
        small(channels=[7])
