"""`bench sweep` from a file to the table: the recorded is skipped, a failure stops nothing, a stop loses nothing."""

import csv
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
from typing import Any

import pytest
import torch

from bench.cli.main import main
from bench.config.load import load
from bench.results import records
from bench.results.identity import run_id
from bench.runtime.load import own_cores
from bench.sweep import worker
from bench.sweep.cells import planned_cell
from bench.sweep.local import LocalExecutor, places
from bench.sweep.result import show_table
from bench.sweep.sweep import Machines, sweep

PATIENCE = 180  # seconds for what takes a few on an idle machine
PRECISE = "trainer.precision=32-true"  # also where bfloat16 is the default, which amplifies a library's roundings
BENCH = [sys.executable, "-m", "bench"]
needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")

# In the place of `bench train`: fails at a rate of 1e30, trains for ever at seed=9, and saves at SIGTERM.
STUB = """
import os, signal, sys, threading, time
from pathlib import Path
from bench.sweep import worker

def stop(number, frame):
    Path("saved").touch()
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, stop)
threading.Thread(target=worker.end_with_sweep, daemon=True).start()
print("epoch 1", flush=True)
if "model.learning_rate=1e+30" in sys.argv:
    sys.exit("the loss is nan")
time.sleep(1.5)
while "seed=9" in sys.argv:
    time.sleep(0.1)
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells run a stub; the command that starts `bench` with such cells."""
    file = tmp_path / "stub.py"
    file.write_text(STUB)
    command = [sys.executable, str(file)]
    monkeypatch.setattr(worker, "COMMAND", command)
    program = (
        f"import sys; from bench.sweep import worker; worker.COMMAND = {command}; from bench.cli.main import main; "
    )
    return [sys.executable, "-c", program + "sys.exit(main(sys.argv[1:]))"]


def metrics(results: Path) -> dict[str, list[dict[str, float]]]:
    """Run -> the figures of its rows."""
    return {record.run_id: [row.metrics for row in record.results.values()] for record in records.read_all(results)}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@contextmanager
def once(condition: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Acts beside the block, a moment after the condition holds, unless the block has ended by then."""
    over = threading.Event()

    def watch() -> None:
        while not condition() and not over.wait(0.02):
            continue
        if not over.wait(0.5):
            act()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def started(command: list[str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`bench sweep` in the background, as a shell in a terminal starts it; its output ends in the file `said`."""
    with Path("said").open("ab") as output:
        job = subprocess.Popen([*command, "sweep", *words], stdout=output, stderr=output, start_new_session=True)
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


def processes() -> list[int]:
    """Those whose working folder is the test's: all that its sweeps have started, and not this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == Path.cwd() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def begun() -> bool:
    """Whether a cell of the stub runs."""
    return any("epoch 1" in log.read_text() for log in Path("r").glob("sweeps/logs/*"))


def trains(log: Path, times: int, images: str) -> bool:
    """Whether the training has begun so many times."""
    return log.exists() and log.read_text().count(f"{images} images, ") >= times


@pytest.mark.usefixtures("stub")
def test_one_failure_stops_nothing_and_is_shown_with_its_logs_end(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0, 1], "model.learning_rate": [1e-3, 1e30]}, "model=vae")
    assert main(["sweep", str(file), "results=r"]) == 1
    text = said(capsys)
    assert "sweep: 4 runs in r: 0 recorded and skipped, 4 to run" in text
    assert "2 of 4 failed; the same command tries them again" in text
    logs = {log: log.read_text() for log in Path("r/sweeps/logs").absolute().iterdir()}
    failed = [log for log, lines in logs.items() if lines == "epoch 1\nthe loss is nan\n"]
    assert len(logs) == 4
    assert len(failed) == 2
    assert all(f"{log.stem}: exit status 1; {log} epoch 1 the loss is nan" in text for log in failed)


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_all_cells_after_they_saved(
    number: signal.Signals, code: int, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [9, 1]}, "model=vae")
    with once(begun, lambda: os.kill(os.getpid(), number)):
        assert main(["sweep", str(file), "results=r", "--jobs=1"]) == code
    assert Path("saved").exists()
    assert "stopped; runs have saved their state" in said(capsys)
    assert len(list(Path("r").glob("sweeps/logs/*"))) == 1, "no other cell was begun"


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_nothing_runs_on_when_the_sweep_is_killed(
    number: signal.Signals, write: Callable[..., Path], stub: list[str]
) -> None:
    file = write({"seed": [9, 1]}, "model=vae")
    with started(stub, str(file), "results=r", "--jobs=1") as job:
        until(begun)
        job.send_signal(number)
        assert job.wait(PATIENCE) == -number
        until(lambda: not processes())
    assert Path("saved").exists()


@pytest.mark.slow
def test_a_terminal_shows_the_live_view(write: Callable[..., Path], stub: list[str]) -> None:
    file = write({"seed": [0, 1]}, "model=vae")
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
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    command = [*stub, "sweep", str(file), "results=r", "--jobs=1"]
    job = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    assert job.wait(PATIENCE) == 0
    reader.join()
    os.close(ours)
    text = b"".join(shown).decode()
    assert "0 of 2 done, 1 running, 1 waiting, unknown for 2 runs" in text
    assert "1 of 2 done, 1 running, 0 waiting, unknown for 1 runs" in text
    assert "epoch 1" in text, "a running cell's last line"
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h") < text.index("no table"), "the cursor comes back"
    assert "done     vae-ring_8-1" in text


@pytest.mark.slow
def test_a_sweeps_runs_are_those_of_bench_train_and_the_recorded_are_skipped(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0, 1], "model.learning_rate": [1e-3, 1e30]}, "model=vae", "train.images=1600", PRECISE)
    assert main(["sweep", str(file), "results=r"]) == 1
    text = said(capsys)
    assert "the loss is nan after 1,600 images" in text
    failed = {failure.run_id for failure in records.failures(Path("r"))}
    assert len(failed) == 2
    assert all(f"{name}: exit status 2; {Path.cwd() / 'r/sweeps/logs' / name}.log" in text for name in failed)
    runs = [record for record in records.read_all(Path("r")) if record.family != records.BASELINE_FAMILY]
    assert len(runs) == 2
    shares = places(None, 4, [])
    for run in runs:
        assert run.hardware["jobs"] == len(shares)
        assert run.hardware["threads"] in {len(share.cores) for share in shares}
        for result in run.results.values():
            assert (result.hardware["jobs"], result.hardware["threads"]) == (1, len(own_cores())), "timed alone"
            assert result.timing
    lines = csv.DictReader(Path("r/TABLE.csv").read_text().splitlines())
    (line,) = (line for line in lines if line["row"] == "vae")
    assert line["seeds"] == "2"
    assert "\x1b" not in "".join(log.read_text() for log in Path("r/sweeps/logs").iterdir())

    words = ["model.learning_rate=0.001", "seed=1", "model=vae", "train.images=1600", PRECISE, "results=plain"]
    fixed = ["preset=smoke", "data=ring_8", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4"]
    alone = [*BENCH, "train", *fixed, "trainer.accelerator=cpu", *words]
    subprocess.run(alone, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    swept = metrics(Path("r"))
    for name, rows in metrics(Path("plain")).items():
        for alone_row, swept_row in zip(rows, swept[name], strict=True):
            assert swept_row == pytest.approx(alone_row, rel=1e-4)  # libraries round as their memory happens to lie

    files = {file: file.stat().st_mtime_ns for file in Path("r/records").iterdir()}
    assert main(["sweep", str(file), "results=r"]) == 1
    text = said(capsys)
    assert "4 runs in r: 2 recorded and skipped, 2 to run, 2 of which failed before" in text
    assert "estimated: 0:0" in text
    assert {file: file.stat().st_mtime_ns for file in Path("r/records").iterdir()} == files
    assert main(["sweep", str(file), "results=r", "model.learning_rate=0.001"]) == 0
    assert "2 runs in r: 2 recorded and skipped, 0 to run" in said(capsys)


@pytest.mark.slow
def test_a_stopped_sweep_ends_like_the_undisturbed_one(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, kill -9 of a cell, kill -9 of the sweep, then the same command: the same weights and figures."""
    file = write({"model": ["vae"]}, "train.images=19200")
    assert main(["sweep", str(file), "results=calm", "--jobs=1"]) == 0
    words = [str(file), "results=r", "--jobs=1"]
    ((name, figures),) = ((name, rows) for name, rows in metrics(Path("calm")).items() if name.startswith("vae"))
    log = Path.cwd() / "r/sweeps/logs" / f"{name}.log"
    capsys.readouterr()

    with once(lambda: trains(log, 1, "19,200"), lambda: os.kill(os.getpid(), signal.SIGINT)):
        assert main(["sweep", *words]) == 130
    assert "stopped; runs have saved their state" in said(capsys)
    assert name not in metrics(Path("r"))
    assert len(list(Path("r").glob("runs/*/checkpoints/*.ckpt"))) == 1

    executors: list[LocalExecutor] = []
    prepare = LocalExecutor.__init__

    def remembered(self: LocalExecutor, *arguments: Any, **options: Any) -> None:
        executors.append(self)
        prepare(self, *arguments, **options)

    monkeypatch.setattr(LocalExecutor, "__init__", remembered)
    with once(lambda: trains(log, 2, "19,200"), lambda: os.kill(executors[0].cells[name].process.pid, signal.SIGKILL)):
        assert main(["sweep", *words]) == 1
    assert "killed by signal 9" in said(capsys)

    with started(BENCH, *words) as job:
        until(lambda: trains(log, 3, "19,200"))
        job.kill()
    # "from there", or, if the cell had not begun its first batch, "from the last checkpoint"
    until(lambda: "the same command resumes from" in log.read_text().split("19,200 images, ")[3])

    assert main(["sweep", *words]) == 0
    assert metrics(Path("r"))[name] == figures
    whole, broken = (torch.load(Path(at) / "runs" / name / "final.ckpt", weights_only=True)["state_dict"]
                     for at in ("calm", "r"))  # fmt: skip
    assert all(torch.equal(value, broken[key]) for key, value in whole.items())


@pytest.mark.slow
def test_two_sweeps_of_one_folder_at_once_do_all_once(write: Callable[..., Path]) -> None:
    file = write({"seed": [0, 1]}, "model=vae", "train.images=6400")
    with started(BENCH, str(file), "results=r") as first, started(BENCH, str(file), "results=r") as second:
        assert [first.wait(PATIENCE), second.wait(PATIENCE)] == [0, 0], Path("said").read_text()
    logs = [file.read_text() for file in Path("r/sweeps/logs").iterdir()]
    assert len(logs) == 2
    assert all(text.count("6,400 images, ") == 1 for text in logs), "each was trained once"


@pytest.mark.slow
@needs_proc
def test_a_cell_of_two_ranks_equals_one_of_one_and_its_ranks_end_together(write: Callable[..., Path]) -> None:
    file = write({"model": ["vae"]}, "train.images=6400")
    for results, devices in (("one", 1), ("two", 2)):
        with started(BENCH, str(file), f"results={results}", f"trainer.devices={devices}", "--jobs=1") as job:
            assert job.wait(PATIENCE) == 0, Path("said").read_text()
    (one, two) = (json.loads(next(Path(at, "records").glob("vae-*")).read_text()) for at in ("one", "two"))
    assert (one["hardware"]["processes"], two["hardware"]["processes"]) == (1, 2)
    (alone,), (shared,) = ([row["metrics"] for row in record["results"].values()] for record in (one, two))
    for name, value in alone.items():
        assert shared[name] == pytest.approx(value, rel=0.05, abs=0.05), name

    write({"model": ["vae"]}, "train.images=100000000")
    (config,) = load(["preset=smoke", "data=ring_8", "train.batch=32", "model=vae", "train.images=100000000"])
    with started(BENCH, str(file), "results=r", "trainer.devices=2", "--jobs=1") as job:
        until(lambda: trains(Path(f"r/sweeps/logs/{run_id(config)}.log"), 1, "100,000,000"))
        (first,) = (pid for pid in processes() if os.getpgid(pid) == pid != job.pid)
        until(lambda: len([pid for pid in processes() if os.getpgid(pid) == first]) == 2)
        os.kill(first, signal.SIGKILL)
        assert job.wait(PATIENCE) == 1
        assert "killed by signal 9" in Path("said").read_text()
        until(lambda: not processes())


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "bench sweep configs/sweep/families.yaml" in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize(
    ("words", "said_then"),
    [
        (["--address=auto"], "--address=auto: applies to --executor=ray only; leave it out"),
        (["--gpus=0.5"], "--gpus=0.5: applies to --executor=ray only; leave it out"),
        (["--executor=ray", "--jobs=2"], "--jobs=2: applies to --executor=local only; leave it out"),
        (["--jobs=0"], "--jobs=0: must be at least 1"),
        (["train.batch=0"], "sweep.yaml: cell 1 (seed=0): train.batch=0"),
        (["trainer.num_nodes=2"], "sweep.yaml: cell 1 (seed=0): trainer.num_nodes=2"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_written(
    words: list[str], said_then: str, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0, 1]}, "model=vae")
    assert main(["sweep", str(file), "results=r", *words]) == 2
    text = said(capsys)
    assert said_then in text
    assert text.count("bench: ") == 1
    assert not Path("r").exists()


def test_more_devices_than_gpus_are_refused(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sweep.sweep.visible_gpus", lambda: ["0", "1"])
    file = str(write({"seed": [0]}, "model=vae"))
    for machines, words, message in (
        (Machines(), ["trainer.devices=4"], "trainer.devices=4: this machine has 2 GPUs"),
        (Machines(jobs=3), ["trainer.devices=2"], "--jobs=3: runs on 2 devices cannot share a GPU"),
    ):
        with pytest.raises(Exception, match=message):
            sweep(file, ["results=r", "trainer.accelerator=gpu", *words], machines)
    assert not Path("r").exists()


def test_two_data_sets_in_one_sweep_are_answered_with_how_to_choose_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [planned_cell([], config, add_model=False) for data in ("mnist", "ring_8")
             for config in load([f"data={data}", "model=vae"])]  # fmt: skip
    show_table(cells, Path("r"))
    assert "bench table data=mnist|ring_8 results=r" in said(capsys)
