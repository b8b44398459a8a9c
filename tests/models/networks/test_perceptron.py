"""The fully connected networks as their formulas, and one vector's output as a function of that vector alone."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.networks.autoencoder import ImageShape
from models.networks.perceptron import OCTAVES, LinearDiscriminator, ResidualLayer, ResidualPerceptron, octaves

SHAPES = [(2, 1, 1), (1, 28, 28), (3, 5, 7)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def shaken(shape: ImageShape = (2, 1, 1), hidden: int = 24, blocks: int = 2) -> ResidualPerceptron:
    """A network whose layers that start at zero do not stay there."""
    network = ResidualPerceptron(shape, hidden, blocks).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@every_shape
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_it_starts_by_predicting_nothing_in_float32(shape: ImageShape, autocast: bool) -> None:
    x = torch.randn(2, *shape)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        eps = ResidualPerceptron(shape, 24, 2)(x, torch.tensor([1, 1000]))
    assert eps.dtype == torch.float32
    assert torch.equal(eps, torch.zeros_like(x))


@every_shape
@torch.no_grad()
def test_vectors_do_not_see_each_other_and_have_their_own_times(shape: ImageShape) -> None:
    network, x, t = shaken(shape), torch.randn(3, *shape), torch.tensor([1, 500, 1000])
    together = network(x, t)
    apart = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, apart, rtol=1e-3, atol=1e-4)
    changed = (together - network(x, torch.tensor([1, 900, 1000]))).abs().flatten(1).amax(1)
    assert (changed > 1e-5).tolist() == [False, True, False]


@every_shape
def test_every_value_and_every_parameter_takes_part(shape: ImageShape) -> None:
    network, x = shaken(shape), torch.randn(2, *shape).requires_grad_()
    network(x, torch.tensor([1, 9])).square().mean().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


@torch.no_grad()
def test_a_layer_starts_as_the_identity_and_is_its_formula() -> None:
    layer, x, embedding = ResidualLayer(8), torch.randn(3, 8), torch.randn(3, 8)
    assert torch.equal(layer(x, embedding), x)
    for parameter in layer.parameters():
        parameter.normal_()
    modulation = embedding @ layer.modulation.weight.T + layer.modulation.bias
    normed = F.layer_norm(x, (8,), layer.norm.weight, layer.norm.bias) * (1 + modulation[:, :8]) + modulation[:, 8:]
    inner = normed @ layer.linear_1.weight.T + layer.linear_1.bias
    expected = x + (inner * inner.sigmoid()) @ layer.linear_2.weight.T + layer.linear_2.bias
    torch.testing.assert_close(layer(x, embedding), expected, rtol=1e-4, atol=1e-4)


def test_octaves_are_chebyshev_polynomials_of_the_first() -> None:
    """cos(2 a) = 2 cos(a)^2 - 1 and sin(2 a) = 2 sin(a) cos(a), from the vector itself to the shortest wavelength."""
    x = torch.linspace(-1, 1, 41)[:, None] * torch.tensor([[1.0, 0.3]])
    itself, *waves = octaves(x[:, :, None, None]).split(2, dim=1)
    assert torch.equal(itself, x)
    sines, cosines = waves[:OCTAVES], waves[OCTAVES:]
    expected: tuple[Tensor, Tensor] = (torch.sin(math.pi * x), torch.cos(math.pi * x))
    for sine, cosine in zip(sines, cosines, strict=True):
        torch.testing.assert_close((sine, cosine), expected, rtol=0, atol=1e-5)
        expected = (2 * sine * cosine, 2 * cosine.square() - 1)


@every_shape
def test_a_logit_depends_on_every_value_of_its_own_vector_and_on_no_other(shape: ImageShape) -> None:
    x = torch.randn(3, *shape, requires_grad=True)
    logits = LinearDiscriminator(shape, 24)(x)
    assert logits.shape == (3,)
    for i in range(3):
        (gradient,) = torch.autograd.grad(logits[i], x, retain_graph=True)
        assert (gradient[i] != 0).all()
        assert gradient.abs().flatten(1).amax(1).nonzero().tolist() == [[i]]


@torch.no_grad()
def test_each_of_two_times_is_seen_by_its_own_vector() -> None:
    network, x = ResidualPerceptron((2, 1, 1), 24, 2, times=2), torch.randn(3, 2, 1, 1)
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    times = torch.tensor([[1.0, 2.0], [3.0, 0.5], [9.0, 9.0]])
    expected = network(x, times)
    for place in (0, 1):
        moved = times.clone()
        moved[1, place] += 5
        changed = (network(x, moved) - expected).abs().flatten(1).amax(1)
        assert (changed > 1e-5).tolist() == [False, True, False]
