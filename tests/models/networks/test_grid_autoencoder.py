"""The grid's size and reach: which pixels a place of the grid sees, and which it moves."""

import pytest
import torch

from models.networks.grid_autoencoder import GridDecoder, GridEncoder, ResidualBlock, grid_shape

SHAPES = {(1, 28, 28): (7, 7), (3, 32, 32): (8, 8), (1, 29, 27): (8, 7), (1, 13, 11): (4, 3), (1, 5, 5): (2, 2)}
every_shape = pytest.mark.parametrize(("shape", "grid"), SHAPES.items(), ids=str)


@every_shape
def test_the_grid_is_a_quarter_of_the_image_rounded_up_and_comes_back_to_it(
    shape: tuple[int, int, int], grid: tuple[int, int]
) -> None:
    assert grid_shape(shape) == grid
    z = GridEncoder(shape[0], dim=6, width=8, blocks=2)(torch.randn(2, *shape))
    assert z.shape == (2, 6, *grid)
    assert GridDecoder(shape, dim=6, width=8, blocks=2)(z).shape == (2, *shape)


@every_shape
def test_the_encoder_sees_every_pixel_and_the_grid_moves_every_pixel(
    shape: tuple[int, int, int], grid: tuple[int, int]
) -> None:
    x, z = torch.randn(1, *shape, requires_grad=True), torch.randn(1, 6, *grid)
    (seen,) = torch.autograd.grad(GridEncoder(shape[0], 6, width=16, blocks=2)(x).square().sum(), x)
    assert (seen != 0).all()
    decoder = GridDecoder(shape, 6, width=16, blocks=2)
    assert (decoder(z) != decoder(-z)).all()


def test_a_place_of_the_grid_stands_where_its_pixels_are() -> None:
    """An encoder that sees only a neighbourhood, whose middle moves with the place."""
    encoder = GridEncoder(1, 4, width=16, blocks=1)
    for row, column in [(0, 0), (3, 3), (6, 1)]:
        x = torch.randn(1, 1, 28, 28, requires_grad=True)
        (seen,) = torch.autograd.grad(encoder(x)[0, :, row, column].square().sum(), x)
        rows, columns = seen[0, 0].nonzero().T
        assert (rows - 4 * row).abs().max() <= 8
        assert (columns - 4 * column).abs().max() <= 8


def test_a_residual_block_adds_to_what_it_is_given() -> None:
    block, x = ResidualBlock(5), torch.randn(2, 5, 4, 4)
    torch.nn.init.zeros_(block.conv_2.weight)
    assert block.conv_2.bias is not None
    torch.nn.init.zeros_(block.conv_2.bias)
    assert torch.equal(block(x), x)
