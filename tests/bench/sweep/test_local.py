"""Cells as processes of this machine: disjoint shares, exit statuses, logs, nothing left behind."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest

from bench.sweep import local
from bench.sweep.executor import Cell, Outcome
from bench.sweep.local import LocalExecutor, Place, in_words, places

LONG = ("preset=smoke", "model=vae", "data=ring_8", "train.images=100000000", "trainer.accelerator=cpu", "results=r")


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    monkeypatch.chdir(tmp_path)
    return LocalExecutor(places(2, 2, []), tmp_path / "r")


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def wait_for(executor: LocalExecutor, count: int = 1) -> list[Outcome]:
    found: list[Outcome] = []
    until(lambda: found.extend(executor.finished()) or len(found) >= count)
    return found


@pytest.mark.parametrize(("jobs", "cells"), [(None, 99), (None, 3), (None, 1), (2, 99), (3, 2), (16, 99)])
def test_places_share_all_cores_and_no_core_twice_while_there_are_enough(
    jobs: int | None, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = set(range(3, 11))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: own, raising=False)
    made = places(jobs, cells, [])
    assert len(made) == (jobs or min(8, cells))
    held = [core for place in made for core in place.cores]
    assert set(held) == own
    if len(made) <= 8:
        assert sorted(held) == sorted(own)
        assert max(len(place.cores) for place in made) - min(len(place.cores) for place in made) <= 1


def test_each_gpu_is_a_place_and_more_jobs_are_spread_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    two = [Place((0, 1, 2, 3), "4"), Place((4, 5, 6, 7), "6")]
    assert places(None, 99, ["4", "6"]) == two
    assert [place.gpu for place in places(4, 99, ["4", "6"])] == ["4", "6", "4", "6"]
    assert places(1, 99, ["4", "6"]) == [Place(tuple(range(8)), "4")]
    assert in_words(two) == "2 at once on 2 GPUs, one each"


def test_the_gpus_are_those_that_the_process_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert local.visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-77")
    assert local.visible_gpus() == ["5", "GPU-77"]
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    assert local.visible_gpus() == []


def test_a_cell_ends_with_bench_trains_exit_status_and_all_that_it_said_in_its_log(executor: LocalExecutor) -> None:
    cell = Cell("wrong", ("model=vea", "results=r"), ("wrong",), 1)
    assert executor.free() == 2
    executor.start(cell)
    assert (executor.free(), executor.running()) == (1, [cell])
    (outcome,) = wait_for(executor)
    assert (outcome.cell, outcome.code) == (cell, 2)
    assert (executor.free(), executor.running(), executor.finished()) == (2, [], [])
    assert "model=vea: unknown (did you mean vae?)" in outcome.log.read_text()
    assert "\x1b" not in outcome.log.read_text(), "colours are for terminals"
    length = outcome.log.stat().st_size
    executor.start(cell)
    assert executor.said(cell) == "" or outcome.log.stat().st_size > length, "not what it said in an earlier try"
    wait_for(executor)
    assert outcome.log.stat().st_size == 2 * length, "no try's log is lost"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_the_server_that_is_forked_has_no_threads_that_a_fork_would_lose(executor: LocalExecutor) -> None:
    executor.start(Cell("wrong", ("model=vea",), ("wrong",), 1))
    wait_for(executor)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert len(list(Path(f"/proc/{server}/task").iterdir())) == 1
    assert "libtorch" in Path(f"/proc/{server}/maps").read_text(), "it has imported what the cells need"


def test_a_killed_cell_is_an_outcome_and_its_place_is_free_again(executor: LocalExecutor) -> None:
    cell = Cell("long", LONG, ("long",), 1)
    executor.start(cell)
    until(lambda: "images" in executor.said(cell))
    (one,) = executor.cells.values()
    assert os.getpgid(one.process.pid or 0) == one.process.pid, "a group of its own"
    if hasattr(os, "sched_getaffinity"):
        assert os.sched_getaffinity(one.process.pid or 0) == set(one.places[0].cores)
    os.kill(one.process.pid or 0, signal.SIGKILL)
    (outcome,) = wait_for(executor)
    assert outcome.code == -signal.SIGKILL
    assert executor.free() == 2


def test_a_cell_on_more_devices_than_there_are_places_takes_them_all(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, ...]] = []
    process = type("Process", (), {"exitcode": 0, "pid": 0, "start": lambda self: None})
    monkeypatch.setattr(executor.context, "Process", lambda target, args: given.append(args) or process())
    monkeypatch.setattr(local, "signal_group", lambda *_: None)
    executor.places = [Place((0, 1), "0"), Place((2, 3), "1"), Place((4, 5), "2")]
    executor.jobs = 3
    executor.start(Cell("two", (), (), 2))
    assert executor.free() == 1
    assert given[0][1:4] == ({"BENCH_JOBS": "1", "CUDA_VISIBLE_DEVICES": "0,1"}, [0, 1, 2, 3], 2)
    executor.finished()
    executor.start(Cell("eight", (), (), 8))
    assert executor.free() == 0
    assert given[1][2:4] == ([4, 5, 0, 1, 2, 3], 1)
    executor.finished()
    assert executor.free() == 3


def test_stop_lets_a_cell_save_its_state_first(executor: LocalExecutor) -> None:
    cell = Cell("long", LONG, ("long",), 1)
    saved: list[Path] = []
    for patience in (0.5, 2, 8):  # a stop before the first batch finds nothing to save
        executor.start(cell)
        until(lambda: "100,000,000 images" in executor.said(cell))
        time.sleep(patience)
        executor.stop()
        (outcome,) = executor.finished()
        assert outcome.code == 130
        if saved := list(Path("r").glob("runs/*/checkpoints/*.ckpt")):
            break
    assert len(saved) == 1
    assert "the same command resumes from there" in outcome.log.read_text()


def test_stop_ends_a_cell_that_does_not_listen(executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LONGEST_SAVING", 2.0)
    cell = Cell("long", LONG, ("long",), 1)
    executor.start(cell)
    until(lambda: "images" in executor.said(cell))
    (one,) = executor.cells.values()
    os.kill(one.process.pid or 0, signal.SIGSTOP)
    executor.stop()
    (outcome,) = executor.finished()
    assert outcome.code == -signal.SIGKILL
