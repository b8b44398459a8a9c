"""Encoders and decoders: sizes as convolutions really halve them, and every pixel and every output in play."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.networks.autoencoder import ConvDecoder, ConvEncoder, ImageShape, LinearDecoder, LinearEncoder, halvings

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 29, 27), (2, 5, 9), (1, 2, 2), (1, 1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)

ENCODERS: dict[str, Callable[[ImageShape], nn.Module]] = {
    "conv": lambda shape: ConvEncoder(shape, 3, width=4, hidden=16),
    "conv-3-levels": lambda shape: ConvEncoder(shape, 3, width=4, levels=3, hidden=16),
    "linear": lambda shape: LinearEncoder(shape, 3, hidden=16),
}
DECODERS: dict[str, Callable[[ImageShape], nn.Module]] = {
    "conv": lambda shape: ConvDecoder(shape, 3, width=4, hidden=16),
    "conv-3-levels": lambda shape: ConvDecoder(shape, 3, width=4, levels=3, hidden=16),
    "linear": lambda shape: LinearDecoder(shape, 3, hidden=16),
}
every_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
every_decoder = pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)


@pytest.mark.parametrize("size", range(1, 40))
def test_halvings_are_what_strided_convolutions_leave(size: int) -> None:
    x, convolution = torch.zeros(1, 1, size, 1), nn.Conv2d(1, 1, 3, stride=2, padding=1)
    sizes = [size]
    for _ in range(3):
        x = convolution(x)
        sizes.append(x.shape[-2])
    assert halvings(size, 3) == sizes
    assert all(below <= above <= 2 * below for above, below in itertools.pairwise(sizes)), "doubling covers"


@every_encoder
@every_shape
def test_every_code_depends_on_every_pixel(make: Callable[[ImageShape], nn.Module], shape: ImageShape) -> None:
    encoder, x = make(shape).double(), torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    code = encoder(x)
    assert code.shape == (1, 3)
    for one in code[0]:
        (gradient,) = torch.autograd.grad(one, x, retain_graph=True)
        assert (gradient != 0).all()


@every_decoder
@every_shape
@torch.no_grad()
def test_every_entry_of_z_moves_every_pixel(make: Callable[[ImageShape], nn.Module], shape: ImageShape) -> None:
    decoder, z = make(shape).double(), torch.randn(1, 3, dtype=torch.float64)
    image = decoder(z)
    assert image.shape == (1, *shape)
    for move in torch.eye(3):
        assert (decoder(z + move) != image).all()


@every_shape
@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_images_do_not_see_each_other(name: str, shape: ImageShape) -> None:
    for module, batch in ((ENCODERS[name](shape), torch.randn(4, *shape)), (DECODERS[name](shape), torch.randn(4, 3))):
        together = module(batch)
        apart = torch.cat([module(one[None]) for one in batch])
        torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(module(batch.flip(0)), together.flip(0), rtol=1e-4, atol=1e-6)
