"""A cell's process: its surroundings, and that it and its ranks end when its sweep does, after they saved."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.runtime.load import own_cores
from bench.sweep import worker

# A sweep: starts one cell, whose process group has two members, and then only exists.
SWEEP = """
import sys, time
from pathlib import Path
from bench.runtime.load import own_cores
from bench.sweep import worker
worker.COMMAND = [sys.executable, *sys.argv[1:]]
worker.start([], Path("log"), own_cores(), 1, {}, Path.cwd())
print("started", flush=True)
time.sleep(600)
"""
# A cell with one rank beside it; both need a moment to save when SIGTERM comes.
CELL = """
import os, signal, threading, time
from pathlib import Path
from bench.sweep import worker

def stop(number, frame):
    time.sleep(0.3)
    Path(f"saved-{os.getpid()}").touch()
    raise SystemExit(143)

signal.signal(signal.SIGTERM, stop)
os.fork()
threading.Thread(target=worker.end_with_sweep, daemon=True).start()
print("runs", flush=True)
while True:
    time.sleep(0.1)
"""
# A cell that ignores SIGTERM.
DEAF = CELL.replace("signal.SIGTERM, stop", "signal.SIGTERM, signal.SIG_IGN").replace(
    "os.fork()", "worker.SECONDS_TO_SAVE = 0.3"
)
SHOW = (
    "import os; print(os.getpgid(0) == os.getpid(), sorted(os.sched_getaffinity(0)), os.getcwd(), "
    "*(os.environ.get(k) for k in ('OMP_NUM_THREADS', 'TERM', 'OWN', 'SLURM_NTASKS')))"
)
PATIENCE = 60  # seconds for what takes one on an idle machine


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def group(leader: int) -> list[int]:
    """The living members of a process group."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, number = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == leader and state != "Z":
            members.append(int(folder.name))
    return members


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_a_cell_leads_its_group_on_its_own_cores_threads_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "-c", SHOW])
    monkeypatch.setenv("SLURM_NTASKS", "8")
    core, log, folder = own_cores()[-1], Path("a/b/log"), Path.cwd() / "folder"
    folder.mkdir()
    for _ in range(2):
        assert worker.start([], log, [core], 3, {"OWN": "x"}, folder).wait(PATIENCE) == 0
    assert log.read_text() == f"True [{core}] {folder} 3 dumb x None\n" * 2, "attempts are added to the log"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_a_cell_and_its_ranks_save_and_end_when_their_sweep_is_gone(number: signal.Signals) -> None:
    Path("cell.py").write_text(CELL)
    with subprocess.Popen([sys.executable, "-c", SWEEP, "cell.py"], stdout=subprocess.PIPE) as sweep:
        until(lambda: Path("log").exists() and Path("log").read_text().count("runs") == 2)
        (leader,) = {os.getpgid(pid) for pid in children(sweep.pid)}
        assert len(group(leader)) == 2
        sweep.send_signal(number)
    until(lambda: not group(leader))
    assert len(list(Path.cwd().glob("saved-*"))) == 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_cell_that_ignores_sigterm_is_killed() -> None:
    Path("cell.py").write_text(DEAF)
    with subprocess.Popen([sys.executable, "-c", SWEEP, "cell.py"], stdout=subprocess.PIPE) as sweep:
        until(lambda: Path("log").exists() and "runs" in Path("log").read_text())
        (leader,) = children(sweep.pid)
        sweep.kill()
    until(lambda: not group(leader))


def test_a_worker_is_bench_train() -> None:
    process = worker.start(["--help"], Path("log"), own_cores(), 1, {}, Path.cwd())
    assert process.wait(PATIENCE) == 0
    assert "usage: bench train" in Path("log").read_text()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
