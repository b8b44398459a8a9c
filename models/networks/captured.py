"""A pass recorded as a CUDA graph and replayed: a small network's kernels end before the next one is launched."""

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

WARM = 3  # passes before recording, in which libraries choose their algorithms
WORTH = 20  # passes from which on recording pays
KEPT = 4  # recordings of a network that are kept, since each holds the memory of its pass

Pass = Callable[..., Tensor]
# Beside the networks and not in them, so that no checkpoint, copy or pickle of a network meets a recording. A recording
# goes with its network.
_recordings: "weakref.WeakKeyDictionary[nn.Module, dict[Hashable, Captured]]" = weakref.WeakKeyDictionary()


def captured(network: nn.Module, *inputs: Tensor, passes: int) -> Pass:
    """The network for such inputs, without gradients: replayed where they are on a GPU and passes many.

    It is recorded once for inputs of a kind and kept while the network lives.
    """
    return recording(network, *inputs) if inputs[0].is_cuda and passes >= WORTH else network


def replayed(network: nn.Module, passes: int) -> Pass:
    """The network for inputs of any kind, replayed where `captured` replays it."""
    return lambda *inputs: captured(network, *inputs, passes=passes)(*inputs)


def recording(network: nn.Module, *inputs: Tensor) -> "Captured":
    """The kept recording of such a pass, or a new one; the oldest of more than `KEPT` is dropped."""
    recordings = _recordings.setdefault(network, {})
    kind = _kind(network, inputs)
    if kind not in recordings:
        for old in list(recordings)[: max(0, len(recordings) + 1 - KEPT)]:
            del recordings[old]
        recordings[kind] = Captured(network, *inputs)
    return recordings[kind]


def _kind(network: nn.Module, inputs: Sequence[Tensor]) -> Hashable:
    """What a recording is good for: kinds of inputs, precision, mode, and where the weights lie.

    Weights that change in place are read by the next replay. Those of a moved module, or others in their place, lie
    elsewhere.
    """
    kinds = tuple((a.shape, a.stride(), a.dtype, a.device) for a in inputs)
    precision = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    weights = tuple((a.data_ptr(), a.dtype) for a in chain(network.parameters(), network.buffers()))
    return kinds, precision, network.training, weights


class Captured:
    """Replays a pass of the network on inputs of the shapes and types of `inputs`.

    A result is overwritten by the next call. Forward hooks are called as the network would call them, and not by the
    passes that recording takes.
    """

    def __init__(self, network: nn.Module, *inputs: Tensor) -> None:
        self._network = weakref.ref(network)  # a strong reference would keep the network, and so the recording, alive
        self.inputs = tuple(a.clone() for a in inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with _weights_cast_anew():
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    network.forward(*self.inputs)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            # what other threads ask of the device meanwhile, as NCCL's watchdog does, is no part of it
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.result: Tensor = network.forward(*self.inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        for kept, value in zip(self.inputs, inputs, strict=True):
            kept.copy_(value)
        self.graph.replay()
        network = self._network()
        if network is not None:
            for key, hook in list(network._forward_hooks.items()):
                if key in network._forward_hooks_with_kwargs:
                    hook(network, inputs, {}, self.result)
                else:
                    hook(network, inputs, self.result)
        return self.result


@contextmanager
def _weights_cast_anew() -> Iterator[None]:
    """Without autocast's cache of cast weights, which is freed with the region and would be read by later replays."""
    before = torch.is_autocast_cache_enabled()
    torch.clear_autocast_cache()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)
