"""A denoiser's network with z beside the time: its limits are the network itself."""

from collections.abc import Callable

import pytest
import torch

from models.networks.latent_denoiser import LatentDenoiser
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet

SHAPE = (3, 6, 5)
NETWORKS: dict[str, Callable[[], UNet | ResidualPerceptron]] = {
    "conv": lambda: UNet(3, [8, 16], 1, 2, False),
    "linear": lambda: ResidualPerceptron(SHAPE, 16, 2),
}
every_network = pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)


def shaken(build: Callable[[], UNet | ResidualPerceptron], latent_dim: int) -> LatentDenoiser:
    """A network whose layers that start at zero do not stay there."""
    network = LatentDenoiser(build(), latent_dim).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@every_network
@torch.no_grad()
def test_without_z_it_is_the_hyperbolic_tangent_of_its_network(build: Callable[[], UNet | ResidualPerceptron]) -> None:
    network, x, t = shaken(build, 0), torch.randn(3, *SHAPE), torch.tensor([1, 2, 3])
    assert torch.equal(network(x, t, torch.empty(3, 0)), torch.tanh(network.network(x, t)))
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in network.network.parameters())


@every_network
@torch.no_grad()
def test_z_shifts_the_embedding_of_the_time(build: Callable[[], UNet | ResidualPerceptron]) -> None:
    """So a mapping to zero is no z at all."""
    network, x, t = shaken(build, 4), torch.randn(3, *SHAPE), torch.tensor([1, 2, 3])
    with_z = network(x, t, torch.randn(3, 4))
    assert network.mapping is not None
    for parameter in network.mapping[-1].parameters():
        parameter.zero_()
    plain = torch.tanh(network.network(x, t))
    assert torch.equal(network(x, t, torch.randn(3, 4)), plain)
    assert ((with_z - plain).abs().flatten(1).amax(1) > 1e-5).all()


@every_network
@torch.no_grad()
def test_an_image_depends_on_its_own_noise_time_and_z(build: Callable[[], UNet | ResidualPerceptron]) -> None:
    network, x, t, z = shaken(build, 4), torch.randn(3, *SHAPE), torch.tensor([1, 2, 3]), torch.randn(3, 4)
    together = network(x, t, z)
    for i in range(3):
        row = slice(i, i + 1)
        torch.testing.assert_close(together[row], network(x[row], t[row], z[row]), rtol=1e-2, atol=1e-3)
    middle = torch.tensor([False, True, False])
    one = middle.float()
    changes = (x + one[:, None, None, None], t, z), (x, t + 5 * middle, z), (x, t, z + one[:, None])
    for changed in changes:
        assert torch.equal((network(*changed) - together).abs().flatten(1).amax(1) > 1e-5, middle)


@every_network
@torch.no_grad()
def test_images_differ_from_the_start(build: Callable[[], UNet | ResidualPerceptron]) -> None:
    """A diffusion model's network starts at zero, where a generator's images would all be one."""
    images = LatentDenoiser(build(), 4)(torch.randn(2, *SHAPE), torch.tensor([1, 2]), torch.randn(2, 4))
    assert (images[0] - images[1]).abs().max() > 0.05


@every_network
@torch.no_grad()
def test_images_stay_in_range(build: Callable[[], UNet | ResidualPerceptron]) -> None:
    network = shaken(build, 4)
    for parameter in network.parameters():
        parameter.mul_(5)
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            images = network(10 * torch.randn(8, *SHAPE), torch.arange(8), torch.randn(8, 4))
        assert images.dtype == torch.float32
        assert 0.9 < images.abs().max() <= 1
