"""Cells as processes of this machine: disjoint shares, exit statuses, logs, nothing left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.runtime.load import own_cores
from bench.sweep import local, worker
from bench.sweep.executor import Cell, Outcome
from bench.sweep.local import LocalExecutor, Place, describe, places

# A cell in the place of `bench train`: its one argument is what it does.
STUB = """
import os, signal, sys, time

def stop(number, frame):
    print("saved", flush=True)
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[1] == "deaf" else stop)
print(sys.argv[1], os.environ["BENCH_JOBS"], os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["OMP_NUM_THREADS"],
      *(sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []), flush=True)
if sys.argv[1] == "fail":
    sys.exit(2)
while sys.argv[1] in ("long", "deaf"):
    time.sleep(0.05)
"""


def cell(name: str, devices: int = 1) -> Cell:
    return Cell(name, (name,), name, devices)


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    Path("stub.py").write_text(STUB)
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "stub.py"])
    return LocalExecutor(places(2, 2, []), Path("r"))


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def wait_for(executor: LocalExecutor, count: int = 1) -> list[Outcome]:
    found: list[Outcome] = []
    until(lambda: found.extend(executor.new_outcomes()) or len(found) >= count)
    return found


@pytest.mark.parametrize(("jobs", "cells"), [(None, 99), (None, 3), (None, 1), (2, 99), (3, 2), (16, 99)])
def test_places_share_all_cores_and_no_core_twice_while_there_are_enough(
    jobs: int | None, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = set(range(3, 11))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: own, raising=False)
    shares = places(jobs, cells, [])
    assert len(shares) == (jobs or min(8, cells))
    cores = [core for place in shares for core in place.cores]
    assert set(cores) == own
    if len(shares) <= 8:
        assert sorted(cores) == sorted(own)
        assert max(len(place.cores) for place in shares) - min(len(place.cores) for place in shares) <= 1


def test_each_gpu_is_a_place_and_more_jobs_are_spread_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    two = [Place((0, 1, 2, 3), "4"), Place((4, 5, 6, 7), "6")]
    assert places(None, 99, ["4", "6"]) == two
    assert [place.gpu for place in places(4, 99, ["4", "6"])] == ["4", "6", "4", "6"]
    assert places(1, 99, ["4", "6"]) == [Place(tuple(range(8)), "4")]
    assert describe(two) == "2 at once on 2 GPUs, one each"


def test_the_gpus_are_those_that_the_process_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert local.visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-77")
    assert local.visible_gpus() == ["5", "GPU-77"]
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    assert local.visible_gpus() == []


def test_a_cell_ends_with_its_exit_status_and_its_output_in_its_log(executor: LocalExecutor) -> None:
    fail = cell("fail")
    assert executor.free_places() == 2
    executor.start(fail)
    assert (executor.free_places(), executor.running_cells()) == (1, [fail])
    (outcome,) = wait_for(executor)
    assert (outcome.cell, outcome.code) == (fail, 2)
    assert (executor.free_places(), executor.running_cells(), executor.new_outcomes()) == (2, [], [])
    assert outcome.log.read_text().startswith("fail 2 None ")
    length = outcome.log.stat().st_size
    executor.start(fail)
    assert executor.last_line(fail) == "" or outcome.log.stat().st_size > length, "not that of an earlier attempt"
    wait_for(executor)
    assert outcome.log.stat().st_size == 2 * length, "no attempt's log is lost"


def test_a_killed_cell_is_an_outcome_and_its_place_is_free_again(executor: LocalExecutor) -> None:
    executor.start(cell("long"))
    executor.start(cell("fail"))
    until(lambda: executor.last_line(cell("long")))
    os.kill(executor.cells["long"].process.pid, signal.SIGKILL)
    outcomes = {outcome.cell.name: outcome.code for outcome in wait_for(executor, 2)}
    assert outcomes == {"long": -signal.SIGKILL, "fail": 2}, "no cell ends another"
    assert executor.free_places() == 2


def test_cells_share_the_places_by_their_devices_and_take_all_where_there_are_too_few(executor: LocalExecutor) -> None:
    core = own_cores()[0]  # of this machine, which may have few
    executor.places, executor.concurrency = [Place((core, core), "0"), Place((core, core), "1"), Place((core,), "7")], 3
    executor.start(cell("two", 2))
    assert executor.free_places() == 1
    (outcome,) = wait_for(executor)
    assert outcome.log.read_text().split()[:4] == ["two", "1", "0,1", "2"]
    executor.start(cell("eight", 8))
    assert executor.free_places() == 0
    (outcome,) = wait_for(executor)
    assert outcome.log.read_text().split()[:4] == ["eight", "1", "7,0,1", "1"]
    assert executor.free_places() == 3


def test_stop_lets_cells_save_their_state_and_kills_those_that_do_not_end(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS_TO_SAVE", 1.0)
    for name in ("long", "deaf"):
        executor.start(cell(name))
    until(lambda: all(executor.last_line(cell(name)) for name in ("long", "deaf")))
    executor.stop()
    outcomes = {outcome.cell.name: outcome for outcome in executor.new_outcomes()}
    assert {name: outcome.code for name, outcome in outcomes.items()} == {"long": 143, "deaf": -signal.SIGKILL}
    assert outcomes["long"].log.read_text().endswith("saved\n")
