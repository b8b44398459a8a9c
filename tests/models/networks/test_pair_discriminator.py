"""A logit is a function of its own pair of images and of its own time."""

import pytest
import torch
from torch import nn

from models.networks.autoencoder import ImageShape
from models.networks.dcgan import Discriminator
from models.networks.pair_discriminator import LinearPairDiscriminator, PairDiscriminator

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 29, 27), (2, 5, 9), (2, 1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_network = pytest.mark.parametrize("build", [PairDiscriminator, LinearPairDiscriminator])


@every_network
@every_shape
def test_a_logit_depends_on_both_of_its_own_images_and_on_its_own_time(
    build: type[nn.Module], shape: ImageShape
) -> None:
    discriminator = build(shape, 8)
    x_s, x_t = (torch.randn(3, *shape, requires_grad=True) for _ in range(2))
    t = torch.tensor([1, 2, 4])
    logits = discriminator(x_s, x_t, t)
    assert logits.shape == (3,)
    for i in range(3):
        for gradient in torch.autograd.grad(logits[i], (x_s, x_t), retain_graph=True):
            assert (gradient[i] != 0).all()
            assert gradient.abs().flatten(1).amax(1).nonzero().tolist() == [[i]]
    changed = (discriminator(x_s, x_t, torch.tensor([1, 3, 4])) - logits).abs() > 1e-7
    assert changed.tolist() == [False, True, False]


@every_network
@torch.no_grad()
def test_the_order_of_the_pair_matters(build: type[nn.Module]) -> None:
    discriminator, (x_s, x_t), t = build((1, 8, 8), 8), torch.randn(2, 3, 1, 8, 8), torch.ones(3)
    assert ((discriminator(x_s, x_t, t) - discriminator(x_t, x_s, t)).abs() > 1e-5).all()


@torch.no_grad()
def test_without_shifts_it_is_dcgans_discriminator_of_twice_the_channels() -> None:
    pair, plain = PairDiscriminator((3, 13, 11), 8), Discriminator((6, 13, 11), 8)
    for shift in pair.shifts:
        for parameter in shift.parameters():
            parameter.zero_()
    ours = [*pair.convolutions, pair.out]
    theirs = [layer for layer in plain if isinstance(layer, nn.Conv2d | nn.Linear)]
    for mine, other in zip(ours, theirs, strict=True):
        other.load_state_dict(mine.state_dict())
    x_s, x_t = torch.randn(2, 4, 3, 13, 11)
    torch.testing.assert_close(pair(x_s, x_t, torch.arange(4)), plain(torch.cat([x_s, x_t], 1)))
