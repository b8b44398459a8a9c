"""The projection discriminator is the formula of its paper, and starts as the discriminator without labels."""

from typing import Any

import pytest
import torch

from models.networks.dcgan import Discriminator, Generator
from models.networks.perceptron import LinearDiscriminator
from models.networks.projection import LabelledGenerator, ProjectionDiscriminator

SHAPE = (1, 8, 8)


@pytest.mark.parametrize("kind", [Discriminator, LinearDiscriminator])
def test_the_logit_is_a_linear_function_of_the_features_and_of_their_product_with_the_label(kind: Any) -> None:
    inner = kind(SHAPE, 16)
    outer = ProjectionDiscriminator(inner, 3)
    x, y = torch.randn(4, *SHAPE), torch.tensor([0, 2, 1, 2])
    torch.testing.assert_close(outer(x, y), inner(x))
    with torch.no_grad():
        outer.label.weight.normal_()
    h = inner.features(x)
    expected = inner(x) + torch.einsum("nf,nf->n", outer.label.weight[y], h)
    torch.testing.assert_close(outer(x, y), expected)


def test_the_generator_sees_z_and_its_label() -> None:
    generator = LabelledGenerator(Generator(SHAPE, 10, 16), 3, 5)
    z = torch.randn(1, 5).expand(3, -1)
    images = generator(z, torch.arange(3))
    assert images.shape == (3, *SHAPE)
    assert not torch.allclose(images[0], images[1])
    with torch.no_grad():
        generator.label.weight *= 100
    torch.testing.assert_close(
        generator(z, torch.arange(3)), images, msg="the label's length does not outgrow that of z"
    )
    torch.testing.assert_close(images[1:2], generator(z[:1], torch.tensor([1])))
