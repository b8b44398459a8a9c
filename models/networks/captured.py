"""A pass recorded as a CUDA graph and replayed: a small network's kernels end before the next one is launched."""

import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

WARM = 3  # passes before recording, in which libraries choose their algorithms
WORTH = 20  # passes from which on recording pays
KEPT = 4  # recordings of a network that are kept, since each holds the memory of its pass

Pass = Callable[[Tensor, Tensor], Tensor]
# Beside the networks and not in them, so that no checkpoint, copy or pickle of a network meets a recording. A recording
# goes with its network.
_recordings: "weakref.WeakKeyDictionary[nn.Module, dict[Hashable, Captured]]" = weakref.WeakKeyDictionary()


def captured(network: nn.Module, x: Tensor, t: Tensor, passes: int) -> Pass:
    """The network for inputs like x and t, without gradients: replayed where they are on a GPU and passes many.

    It is recorded once for inputs of a kind and kept while the network lives.
    """
    return recording(network, x, t) if x.is_cuda and passes >= WORTH else network


def recording(network: nn.Module, x: Tensor, t: Tensor) -> "Captured":
    """The kept recording of such a pass, or a new one; the oldest of more than `KEPT` is dropped."""
    recordings = _recordings.setdefault(network, {})
    kind = _kind(network, x, t)
    if kind not in recordings:
        for old in list(recordings)[: max(0, len(recordings) + 1 - KEPT)]:
            del recordings[old]
        recordings[kind] = Captured(network, x, t)
    return recordings[kind]


def _kind(network: nn.Module, x: Tensor, t: Tensor) -> Hashable:
    """What a recording is good for: kinds of inputs, precision, mode, and where the weights lie.

    Weights that change in place are read by the next replay. Those of a moved module, or others in their place, lie
    elsewhere.
    """
    inputs = tuple((a.shape, a.stride(), a.dtype, a.device) for a in (x, t))
    precision = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    weights = tuple((a.data_ptr(), a.dtype) for a in chain(network.parameters(), network.buffers()))
    return inputs, precision, network.training, weights


class Captured:
    """Replays a pass of the network on inputs of the shapes and types of x and t.

    A result is overwritten by the next call. Forward hooks are called as the network would call them, and not by the
    passes that recording takes.
    """

    def __init__(self, network: nn.Module, x: Tensor, t: Tensor) -> None:
        self._network = weakref.ref(network)  # a strong reference would keep the network, and so the recording, alive
        self.x, self.t = x.clone(), t.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with _weights_cast_anew():
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    network.forward(self.x, self.t)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            # what other threads ask of the device meanwhile, as NCCL's watchdog does, is no part of it
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.result: Tensor = network.forward(self.x, self.t)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.x.copy_(x)
        self.t.copy_(t)
        self.graph.replay()
        network = self._network()
        if network is not None:
            for hook in list(network._forward_hooks.values()):
                hook(network, (x, t), self.result)
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
