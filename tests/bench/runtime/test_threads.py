"""The number of threads: all cores but those that other processes keep busy, unless the environment states it."""

from collections.abc import Iterator

import pytest
import torch

from bench.runtime import threads
from bench.runtime.load import Reading

LONG_AGO = Reading(-1e9, 0.0, 0.0)


@pytest.fixture(autouse=True)
def four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("bench.runtime.threads.os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("others", "fitting"), [(0.0, 4), (0.4, 4), (0.6, 3), (2.0, 2), (3.9, 1), (9.0, 1), (None, 4)])
def test_busy_cores_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], others: float | None, fitting: int
) -> None:
    monkeypatch.setattr(threads, "cores_of_others", lambda _: others)
    threads.fit_threads(LONG_AGO)
    assert torch.get_num_threads() == fitting
    assert ("OMP_NUM_THREADS=4" in capsys.readouterr().err) == (fitting < 4)


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores_of_others", lambda _: 3.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    threads.fit_threads(LONG_AGO)
    threads.set_threads(2)
    assert torch.get_num_threads() == 4


def test_torch_may_use_fewer_than_there_are_free_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where each core is two of the system's."""
    torch.set_num_threads(2)
    monkeypatch.setattr(threads, "cores_of_others", lambda _: 1.0)
    threads.fit_threads(LONG_AGO)
    assert torch.get_num_threads() == 2


def test_threads_are_no_more_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runtime.threads.own_cores", lambda: list(range(4)))
    threads.set_threads(3)
    assert torch.get_num_threads() == 3
    threads.set_threads(64)
    assert torch.get_num_threads() == 4
