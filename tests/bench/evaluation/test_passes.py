"""Every call of a network counts with its images, however its arguments are given, and the hooks are gone after."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation.passes import counted_passes


class Network(nn.Module):
    """Returns its input, or as many zeros as it is told."""

    def forward(self, x: Tensor | int, t: Tensor | None = None) -> Tensor:
        return x if isinstance(x, Tensor) else torch.zeros(x, 2)


X, T = torch.ones(3, 2), torch.tensor(5)


@pytest.mark.parametrize(
    ("inputs", "named", "images"),
    [
        ((X, T), {}, 3),
        ((X,), {"t": T}, 3),
        ((), {"x": X, "t": T}, 3),
        ((), {"t": T, "x": X}, 3),  # a scalar is no batch
        ((4,), {}, 4),
        ((), {"x": 4}, 4),
        ((T,), {}, 1),
    ],
)
def test_a_call_counts_by_its_batch(inputs: tuple[Any, ...], named: dict[str, Any], images: int) -> None:
    network, other = Network(), Network()
    calls: list[int] = []
    with counted_passes([network], calls.append):
        network(*inputs, **named)
        other(X)
        network(*inputs, **named)
    network(*inputs, **named)
    assert calls == [images, images]
    assert not network._forward_hooks


def test_the_hook_is_gone_when_the_block_fails() -> None:
    network = Network()
    with pytest.raises(ZeroDivisionError), counted_passes([network], print):
        raise ZeroDivisionError
    assert not network._forward_hooks
