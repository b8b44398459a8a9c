"""Count the images that pass networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from torch import Tensor, nn


@contextmanager
def counted_passes(networks: Sequence[nn.Module], count: Callable[[int], object]) -> Iterator[None]:
    """Call `count` with the number of images in each forward call of one of `networks`.

    A call may pass an image twice, as guidance by labels does. The hooks are always removed.
    """

    def hook(network: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        count(images_of(inputs, named, output))

    handles = [network.register_forward_hook(hook, with_kwargs=True) for network in networks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def images_of(inputs: Sequence[Any], named: Mapping[str, Any], output: Any) -> int:
    """Return the length of a call's first batch: of its inputs by place, by keyword, or of its output; 1 without one.

    A batch is a tensor with a dimension.
    """
    results = output if isinstance(output, tuple | list) else (output,)
    batches = (value for value in chain(inputs, named.values(), results) if isinstance(value, Tensor) and value.dim())
    return next(map(len, batches), 1)
