"""Layers against PyTorch's own, and the time embedding against the identities of sines and cosines."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.networks.layers import GroupNorm, sinusoidal, zeroed


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (4, 4), (12, 4), (8, 8), (32, 8), (20, 4)])
def test_group_norm_is_pytorchs_in_at_most_8_groups(channels: int, groups: int) -> None:
    ours, theirs = GroupNorm(channels), nn.GroupNorm(groups, channels)
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs.load_state_dict(ours.state_dict())
    x = 3 * torch.randn(2, channels, 5, 4) + 1
    assert torch.equal(ours(x), theirs(x))


def test_group_norm_in_bfloat16_is_rounded_but_once() -> None:
    """Statistics in float32: a large mean, whose square bfloat16 cannot hold, does no harm."""
    norm = GroupNorm(16)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)  # with digits that bfloat16 does not have
    x = (torch.randn(2, 16, 8, 8) + 30).bfloat16()
    out = norm(x)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, F.group_norm(x.float(), 8, norm.weight, norm.bias).bfloat16())
    exact = F.group_norm(x.double(), 8, norm.weight.double(), norm.bias.double())
    torch.testing.assert_close(out.double(), exact, rtol=2**-8, atol=1e-4)


@pytest.mark.parametrize("dim", [2, 8, 64])
def test_sines_and_cosines_stand_in_pairs_on_the_unit_circle(dim: int) -> None:
    embedded = sinusoidal(torch.arange(1001), dim)
    sine, cosine = embedded.chunk(2, dim=1)
    torch.testing.assert_close(sine.square() + cosine.square(), torch.ones(1001, dim // 2))
    assert torch.equal(embedded[0], torch.cat([torch.zeros(dim // 2), torch.ones(dim // 2)]))


def test_wavelengths_rise_geometrically_from_two_pi() -> None:
    """Vaswani et al. 2017, Section 3.5, with the pairs' sines first and then their cosines."""
    t, dim = torch.tensor([3, 700]), 16
    frequency = 10_000.0 ** (-torch.arange(8, dtype=torch.float64) / 8)
    angle = t[:, None] * frequency
    assert frequency[0] == 1
    torch.testing.assert_close(sinusoidal(t, dim).double(), torch.cat([angle.sin(), angle.cos()], 1), rtol=0, atol=1e-4)


def test_products_of_embeddings_depend_on_the_times_distance_alone() -> None:
    early, late = sinusoidal(torch.tensor([1, 6]), 32), sinusoidal(torch.tensor([901, 906]), 32)
    torch.testing.assert_close(early[0] @ early[1], late[0] @ late[1], rtol=1e-4, atol=0)


def test_no_two_times_look_alike() -> None:
    embedded = sinusoidal(torch.arange(1, 1001), 32)
    distance = torch.cdist(embedded, embedded) + 10 * torch.eye(1000)
    assert distance.min() > 0.1


def test_a_zeroed_layer_returns_zeros_and_still_learns() -> None:
    layer = zeroed(nn.Conv2d(3, 2, 3, padding=1))
    out = layer(torch.randn(2, 3, 4, 4))
    assert (out == 0).all()
    out.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().min() > 0
