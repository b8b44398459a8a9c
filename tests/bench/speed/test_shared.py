"""Work beside busy processes: the answers by hand, and the processes end with the measurement."""

import subprocess
from collections.abc import Iterator

import pytest
import torch

from bench.speed import shared


def test_answers_by_hand() -> None:
    """Seconds an image: idle 1 here and 0.98 with torch's threads; beside busy processes 3 and 30."""
    rounds = {"ours, 0 busy": [1.0], "torch's, 0 busy": [0.98], "ours, 2 busy": [3.0], "torch's, 2 busy": [30.0]}
    idle, fair, busy = shared.compared(rounds, "training ae", 2)
    assert (idle.ratio, idle.met) == (pytest.approx(0.98), True)
    assert (fair.ratio, fair.ours, fair.theirs, fair.met) == pytest.approx((2 / 3, 1 / 3, 1 / 2, True))
    assert (busy.ratio, busy.met) == (pytest.approx(10.0), None)


def test_busy_processes_end_with_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr("bench.speed.shared.subprocess.Popen", Remembered)
    with shared.busy_processes(2):
        assert [process.poll() for process in started] == [None, None]
    assert all(process.returncode for process in started)


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shared, "SECONDS", 0.01)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("work", ["training ae", "sampling ddpm"])
@pytest.mark.usefixtures("briefly")
def test_the_work_of_a_process(work: str) -> None:
    assert shared.work_here(work, shared.OURS) > 0
