"""Muon and Adam in one optimizer step as PyTorch's own optimizers do, each on its weights."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from models.muon import COEFFICIENTS, RATIO, Muon, hidden_weights, orthogonalised
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet

RATE = 1e-3


def unet() -> UNet:
    torch.manual_seed(0)
    network = UNet(1, [16, 32], 1, 2, attention=True)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 5, 40), (2, 40, 5)], ids=str)
def test_singular_vectors_stay_and_singular_values_come_near_1(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    U, _, V = torch.linalg.svd(matrices, full_matrices=False)
    inner = U.transpose(1, 2) @ orthogonalised(matrices) @ V.transpose(1, 2)
    values = inner.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inner, torch.diag_embed(values), rtol=0, atol=1e-6)
    assert values.min() > 0.2
    assert values.max() < 1.3


def test_singular_values_of_a_hundredth_of_the_norm_end_between_the_stated_bounds() -> None:
    angles = torch.linspace(math.asin(0.01), math.pi / 4, 10_000, dtype=torch.float64)
    values = orthogonalised(torch.diag_embed(torch.stack([angles.sin(), angles.cos()], 1))).diagonal(dim1=1, dim2=2)
    assert values.min().item() == pytest.approx(0.6818, abs=1e-3)
    assert values.max().item() == pytest.approx(1.1344, abs=1e-3)


def gradients(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_the_steps_are_those_of_pytorch() -> None:
    network = unet()
    ours, theirs = network, copy.deepcopy(network)
    hidden = list(hidden_weights(theirs))
    matrices = [nn.Parameter(weight.detach().flatten(1).clone()) for weight in hidden]
    known = {id(weight) for weight in hidden}
    others = [parameter for parameter in theirs.parameters() if id(parameter) not in known]
    muon = torch.optim.Muon(
        matrices, lr=RATIO * RATE, weight_decay=0.0, ns_coefficients=COEFFICIENTS, adjust_lr_fn="original"
    )
    adam, mine = torch.optim.Adam(others, lr=RATE), Muon(ours, RATE)
    for seed in range(4):
        gradients(ours, seed)
        gradients(theirs, seed)
        for matrix, weight in zip(matrices, hidden, strict=True):
            assert weight.grad is not None
            matrix.grad = weight.grad.flatten(1)
        for optimizer in (mine, muon, adam):
            optimizer.step()
    for matrix, weight in zip(matrices, hidden_weights(ours), strict=True):
        torch.testing.assert_close(weight.flatten(1), matrix, rtol=0, atol=2e-3)  # theirs iterates in bfloat16
    known = {id(weight) for weight in hidden_weights(ours)}
    rest = [parameter for parameter in ours.parameters() if id(parameter) not in known]
    torch.testing.assert_close(rest, others)


def test_every_parameter_has_one_of_the_two() -> None:
    for network in (unet(), ResidualPerceptron((2, 1, 1), 16, 2)):
        groups = Muon(network, RATE).param_groups
        chosen = [parameter for group in groups for parameter in group["params"]]
        assert len(chosen) == len({id(p) for p in chosen}) == len(list(network.parameters()))
        assert all(parameter.dim() > 1 for parameter in groups[0]["params"])


def test_a_saved_state_goes_on_as_if_it_had_not_been_saved() -> None:
    whole, saved = unet(), unet()
    optimizer, first = Muon(whole, RATE), Muon(saved, RATE)
    for seed in range(4):
        gradients(whole, seed)
        optimizer.step()
    for seed in range(2):
        gradients(saved, seed)
        first.step()
    second = Muon(saved, RATE)
    second.load_state_dict(first.state_dict())
    for seed in range(2, 4):
        gradients(saved, seed)
        second.step()
    pairs = zip(whole.parameters(), saved.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_closure_is_called_with_gradients() -> None:
    network = nn.Linear(3, 3, bias=False)
    optimizer = Muon(network, RATE)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = network(torch.ones(2, 3)).square().sum()
        loss.backward()
        return loss

    before = network.weight.detach().clone()
    assert optimizer.step(closure) > 0
    assert not torch.equal(network.weight, before)
