"""The likelihood along the exact flow of a Gaussian is the Gaussian's density."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from models.flows.likelihood import log_likelihood, with_divergence
from tests.models.flows.gaussian import Gaussian


def signs(x: Tensor) -> Tensor:
    return torch.randint(2, x.shape).to(x) * 2 - 1


def exact(gaussian: Gaussian, x: Tensor) -> Tensor:
    normal = torch.distributions.Normal(*torch.tensor([gaussian.mean, gaussian.deviation], dtype=x.dtype))
    return normal.log_prob(x).flatten(1).sum(1)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.3, 0.5), (-0.8, 2.0), (0.1, 0.1)])
def test_the_likelihood_is_the_gaussians_density(mean: float, deviation: float) -> None:
    """The Jacobian of independent values is diagonal, so that random signs give its trace without error."""
    gaussian = Gaussian(mean, deviation)
    x = mean + deviation * torch.randn(8, 1, 3, 4, dtype=torch.float64)
    estimate = log_likelihood(gaussian.velocity, x, signs(x), 64)
    torch.testing.assert_close(estimate, exact(gaussian, x), rtol=0, atol=1e-3)


def test_the_error_falls_with_the_fourth_order_of_the_steps() -> None:
    gaussian = Gaussian(0.3, 0.5)
    x = gaussian.mean + gaussian.deviation * torch.randn(8, 1, 2, 2, dtype=torch.float64)
    errors = [
        (log_likelihood(gaussian.velocity, x, signs(x), steps) - exact(gaussian, x)).abs().max().item()
        for steps in (8, 16, 32)
    ]
    assert [math.log2(a / b) for a, b in itertools.pairwise(errors)][-1] == pytest.approx(4, abs=0.4)


def test_probes_estimate_the_divergence_without_bias() -> None:
    """Of values that hang together, over 20,000 probes, within four standard errors."""
    matrix = torch.randn(6, 6, dtype=torch.float64)

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        return (z.flatten(1) @ matrix.T).view(z.shape) * t.view(-1, 1, 1, 1)

    z = torch.randn(20_000, 1, 2, 3, dtype=torch.float64)
    v, divergence = with_divergence(velocity, z, 0.5, signs(z))
    torch.testing.assert_close(v, velocity(z, torch.full((len(z),), 0.5, dtype=z.dtype)))
    error = 4 * divergence.std().item() / len(z) ** 0.5
    assert divergence.mean().item() == pytest.approx(0.5 * matrix.trace().item(), abs=error)


@torch.no_grad()
def test_no_gradient_reaches_the_result() -> None:
    x = torch.randn(2, 1, 2, 2)
    assert not log_likelihood(Gaussian(0.0, 0.5).velocity, x, signs(x), 2).requires_grad
