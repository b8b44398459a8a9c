"""A frozen copy computes what its network does, and holds weights that nothing trains."""

import torch

from models.networks.frozen import frozen_copy, set_weights, weights_of
from models.networks.unet import UNet


def network(seed: int) -> UNet:
    torch.manual_seed(seed)
    unet = UNet(1, [16], 1, 2, attention=True)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return unet


def test_a_copy_computes_the_same_without_parameters_until_it_gets_other_weights() -> None:
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 7])
    first, other = network(0), network(1)
    frozen = frozen_copy(first)
    assert list(frozen.parameters()) == []
    assert torch.equal(frozen(x, t), first(x, t))
    set_weights(frozen, weights_of(other))
    assert torch.equal(frozen(x, t), other(x, t))
    assert not torch.equal(frozen(x, t), first(x, t))


def test_a_checkpoint_of_a_copy_holds_its_weights() -> None:
    frozen, again = frozen_copy(network(0)), frozen_copy(network(1))
    again.load_state_dict(frozen.state_dict())
    assert all(map(torch.equal, weights_of(frozen), weights_of(again)))
