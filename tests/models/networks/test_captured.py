"""A recorded pass gives what the network gives, whatever it is given, and tells whoever listens."""

import contextlib
import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.ddpm import DDPM
from models.networks.captured import KEPT, WARM, WORTH, Captured, _recordings, captured, recording


class Network(nn.Module):
    """x times t, in a tensor of its own."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x * t[:, None]


class Weighted(Network):
    """The same with a weight that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """CUDA graphs on the CPU: what runs while one records is kept, and replayed from and into the same memory."""
    counts = {"passes": 0}
    recorded: list[Callable[[], object]] = []
    recording = False
    forward = Network.forward

    def watched(self: Network, x: Tensor, t: Tensor) -> Tensor:
        counts["passes"] += 1
        result = forward(self, x, t)
        if recording:
            recorded.append(lambda: result.copy_(forward(self, x, t)))
            result.fill_(torch.nan)  # recording computes nothing
        return result

    class Graph:
        def replay(self) -> None:
            for work in recorded:
                work()

    class Stream:
        def wait_stream(self, other: "Stream") -> None: ...

    @contextlib.contextmanager
    def graph(made: Graph, capture_error_mode: str) -> Iterator[None]:
        nonlocal recording
        recording = True
        yield
        recording = False

    monkeypatch.setattr(Network, "forward", watched)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda side: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return counts


def test_every_replay_is_of_the_inputs_it_is_given(fake_cuda: dict[str, int]) -> None:
    x, t = torch.randn(3, 4), torch.tensor([1, 2, 3])
    replay = Captured(Network(), x, t)
    assert fake_cuda["passes"] == WARM + 1
    for _ in range(3):
        x, t = torch.randn(3, 4), torch.randint(10, (3,))
        given = x.clone()
        assert torch.equal(replay(x, t), given * t[:, None])
        assert torch.equal(x, given)
    assert fake_cuda["passes"] == WARM + 1  # the network's own code does not run again


def test_hooks_are_told_of_replays_and_not_of_recording(fake_cuda: dict[str, int]) -> None:
    network, heard, named = Network(), [], []
    network.register_forward_hook(lambda module, *told: named.append(told), with_kwargs=True)
    handle = network.register_forward_hook(lambda module, inputs, output: heard.append((inputs, output.clone())))
    replay = Captured(network, torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64))
    assert heard == []
    x, t = torch.ones(2, 1), torch.tensor([5, 6])
    replay(x, t)
    ((inputs, output),) = heard
    assert named == [(inputs, {}, replay.result)]
    assert inputs[0] is x
    assert output.tolist() == [[5.0], [6.0]]
    handle.remove()
    replay(x, t)
    assert (len(heard), len(named)) == (1, 2)


def test_a_second_call_records_nothing(fake_cuda: dict[str, int]) -> None:
    network, x, t = Network(), torch.ones(2, 1), torch.tensor([5, 6])
    first = recording(network, x, t)
    assert fake_cuda["passes"] == WARM + 1
    assert recording(network, torch.zeros(2, 1), t) is first
    assert fake_cuda["passes"] == WARM + 1
    assert recording(network, torch.ones(3, 1), torch.tensor([5, 6, 7])) is not first  # another shape
    assert recording(network, x.double(), t) is not first  # another type
    assert fake_cuda["passes"] == 3 * (WARM + 1)


def test_weights_that_change_in_place_are_recorded_once_and_moved_ones_again(fake_cuda: dict[str, int]) -> None:
    network, x, t = Weighted(), torch.ones(2, 1), torch.tensor([5, 6])
    first = recording(network, x, t)
    with torch.no_grad():
        network.weight.fill_(3)
    assert recording(network, x, t) is first
    network.double().float()  # other memory, as a module that moves to another device and back
    assert recording(network, x, t) is not first


def test_recordings_are_not_in_the_network_and_go_with_it(fake_cuda: dict[str, int]) -> None:
    network, x, t = nn.Bilinear(1, 1, 1), torch.ones(2, 1), torch.ones(2, 1)  # which the fixture does not keep
    before = (set(network.__dict__), list(network.state_dict()))
    kept = weakref.ref(recording(network, x, t))
    assert (set(network.__dict__), list(network.state_dict())) == before
    twin = copy.deepcopy(network)
    assert recording(twin, x, t) is not kept()
    del network
    gc.collect()
    assert kept() is None


def test_few_recordings_are_kept(fake_cuda: dict[str, int]) -> None:
    network = Network()
    for n in range(1, KEPT + 3):
        recording(network, torch.ones(n, 1), torch.ones(n))
    assert len(_recordings[network]) == KEPT


def test_the_cpu_has_nothing_to_record() -> None:
    network = Network()
    assert captured(network, torch.zeros(2, 1), torch.zeros(2), passes=10 * WORTH) is network


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", ["ancestral", "ddim"])
def test_a_gpu_draws_the_same_images_recorded_or_not(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = DDPM(DataSpec((1, 28, 28)), T=100).cuda()
    for parameter in model.denoiser.parameters():
        nn.init.normal_(parameter, std=0.05)
    draw = lambda: model.sample(8, torch.Generator("cuda").manual_seed(0), method=method, steps=50)  # noqa: E731
    recorded = draw()
    monkeypatch.setattr("models.ddpm.captured", lambda network, *_, passes: network)
    torch.testing.assert_close(recorded, draw(), rtol=0, atol=1e-3)
