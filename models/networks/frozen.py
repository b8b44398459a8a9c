"""A copy of a network whose weights are buffers: no optimizer, average or gradient exchange touches them."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn


def frozen_copy(network: nn.Module) -> nn.Module:
    """Return a copy that computes the same and has buffers in place of parameters."""
    frozen = copy.deepcopy(network)
    for module in frozen.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return frozen


def weights_of(network: nn.Module) -> list[Tensor]:
    """Return copies of the parameters of a network, or of a frozen copy of it, in one order."""
    return [weight.detach().clone() for weight in _weights(network)]


def set_weights(frozen: nn.Module, weights: list[Tensor]) -> None:
    """Set the weights of a frozen copy to those that `weights_of` returned for its network."""
    with torch.no_grad():
        for weight, value in zip(_weights(frozen), weights, strict=True):
            weight.copy_(value)


def _weights(network: nn.Module) -> Iterator[Tensor]:
    """Yield parameters and buffers by their names, so that network and copy agree in order."""
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return (named[name] for name in sorted(named))
