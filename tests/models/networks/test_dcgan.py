"""The GAN's networks: images in range, one image a z, one logit an image."""

import pytest
import torch

from models.networks.autoencoder import ImageShape
from models.networks.dcgan import Discriminator, Generator

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 29, 27), (2, 5, 9), (1, 1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@every_shape
@torch.no_grad()
def test_generated_images_fill_the_range_and_never_leave_it(shape: ImageShape) -> None:
    generator = Generator(shape, 5, 8)
    for parameter in generator.parameters():
        parameter.mul_(20)
    image = generator(10 * torch.randn(8, 5))
    assert image.shape == (8, *shape)
    assert image.abs().max() <= 1
    assert (image.min() < -0.9) & (image.max() > 0.9)


@every_shape
@torch.no_grad()
def test_an_image_depends_on_all_of_its_own_z_and_on_no_other(shape: ImageShape) -> None:
    """The reason for group normalisation: under batch normalisation, the others of the batch would be felt."""
    generator, z = Generator(shape, 5, 16).train(), torch.randn(4, 5)
    together = generator(z)
    torch.testing.assert_close(together, torch.cat([generator(one[None]) for one in z]), rtol=1e-4, atol=1e-5)
    for move in torch.eye(5):
        assert ((generator(z + move) - together).abs().flatten(1).amax(1) > 0).all()


@every_shape
def test_a_logit_depends_on_every_pixel_of_its_own_image_and_on_no_other(shape: ImageShape) -> None:
    discriminator = Discriminator(shape, 8).train()
    x = torch.randn(3, *shape, requires_grad=True)
    logits = discriminator(x)
    assert logits.shape == (3,)
    for i in range(3):
        (gradient,) = torch.autograd.grad(logits[i], x, retain_graph=True)
        assert (gradient[i] != 0).all()
        assert gradient.abs().flatten(1).amax(1).nonzero().tolist() == [[i]]


def test_logits_are_not_bounded() -> None:
    discriminator = Discriminator((1, 8, 8), 8)
    logits = discriminator(1e4 * torch.randn(64, 1, 8, 8))
    assert logits.abs().max() > 10
