"""Whole sweeps as processes of their own: killed, two at once, on a terminal, with cells of two ranks."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.config.load import load
from bench.results import records
from bench.results.identity import run_id

pytestmark = pytest.mark.slow
PATIENCE = 180  # seconds


def metrics(results: Path) -> dict[str, list[dict[str, float]]]:
    return {one.run_id: [row.metrics for row in one.results.values()] for one in records.read_all(results)}


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`bench sweep` in the background, as a shell in a terminal starts it; its output ends in the file `said`."""
    with Path("said").open("ab") as said:
        command = [sys.executable, "-m", "bench.cli.main", "sweep", *words]
        job = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        yield job
    finally:
        job.kill()
        job.wait()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, Path("said").read_text()
        time.sleep(0.05)


def trains(name: str, images: str) -> Callable[[], bool]:
    log = Path(f"r/sweeps/logs/{name}.log")
    return lambda: log.exists() and f"{images} images, " in log.read_text()


def processes() -> list[int]:
    """Those whose working folder is the test's: all that its sweeps have started, and this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == Path.cwd() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_runs_on_when_the_sweep_is_gone_and_the_cell_has_saved_its_state(
    number: signal.Signals, write: Callable[..., Path]
) -> None:
    file = write({"model": ["vae", "gan"]}, "train.images=100000000")
    (config,) = load(["preset=smoke", "data=ring_8", "train.batch=32", "model=vae", "train.images=100000000"])
    with started(str(file), "results=r", "--jobs=1") as job:
        until(trains(run_id(config), "100,000,000"))
        time.sleep(3)
        job.send_signal(number)
        code = job.wait(PATIENCE)
        assert code == {signal.SIGTERM: 143, signal.SIGINT: 130}.get(number, -number)
        until(lambda: not processes())
    assert len(list(Path("r").glob("runs/*/checkpoints/*.ckpt"))) == 1


def test_two_sweeps_of_one_folder_at_once_do_all_once(write: Callable[..., Path]) -> None:
    file = write({"model": ["vae", "gan"], "seed": [0, 1]}, "train.images=6400")
    with started(str(file), "results=calm") as job:
        assert job.wait(PATIENCE) == 0
    with started(str(file), "results=r") as first, started(str(file), "results=r") as second:
        assert [first.wait(PATIENCE), second.wait(PATIENCE)] == [0, 0], Path("said").read_text()
    assert metrics(Path("r")) == metrics(Path("calm"))
    logs = [file.read_text() for file in Path("r/sweeps/logs").iterdir()]
    assert len(logs) == 4
    assert all(text.count("6,400 images, ") == 1 for text in logs), "each was trained once"


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
def test_a_cell_of_two_ranks_equals_one_of_one_and_its_ranks_end_together(write: Callable[..., Path]) -> None:
    file = write({"model": ["vae"]}, "train.images=6400")
    for results, devices in (("one", 1), ("two", 2)):
        with started(str(file), f"results={results}", f"trainer.devices={devices}", "--jobs=1") as job:
            assert job.wait(PATIENCE) == 0, Path("said").read_text()
    (one, two) = (json.loads(next(Path(at, "records").glob("vae-*")).read_text()) for at in ("one", "two"))
    assert (one["hardware"]["processes"], two["hardware"]["processes"]) == (1, 2)
    (alone,), (shared,) = ([row["metrics"] for row in made["results"].values()] for made in (one, two))
    for name, value in alone.items():
        assert shared[name] == pytest.approx(value, rel=0.05, abs=0.05), name

    write({"model": ["vae"]}, "train.images=100000000")
    (config,) = load(["preset=smoke", "data=ring_8", "train.batch=32", "model=vae", "train.images=100000000"])
    with started(str(file), "results=r", "trainer.devices=2", "--jobs=1") as job:
        until(trains(run_id(config), "100,000,000"))
        (first,) = (pid for pid in processes() if os.getpgid(pid) == pid != job.pid)
        until(lambda: len([pid for pid in processes() if os.getpgid(pid) == first]) == 2)
        os.kill(first, signal.SIGKILL)
        assert job.wait(PATIENCE) == 1
        assert "killed by signal 9" in Path("said").read_text()
        until(lambda: not processes())


def test_a_terminal_shows_the_live_view_and_then_the_table(write: Callable[..., Path]) -> None:
    file = write({"seed": [0, 1]}, "model=vae", "train.images=64000")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                shown.append(part)
        except OSError:  # how Linux says that the other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-m", "bench.cli.main", "sweep", str(file), "results=r", "--jobs=1"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    job = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    assert job.wait(PATIENCE) == 0
    reader.join()
    os.close(ours)
    text = b"".join(shown).decode()
    assert "0 of 2 done, 1 running, 1 waiting, unknown for 2 runs" in text
    assert "1 of 2 done, 1 running, 0 waiting, 0:0" in text
    assert "64,000 images, " in text, "a running cell's last line"
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h") < text.index("lecture's table"), "the cursor comes back"
    assert "done     vae-ring_8-1" in text
    assert "\x1b" not in "".join(file.read_text() for file in Path("r/sweeps/logs").iterdir())
