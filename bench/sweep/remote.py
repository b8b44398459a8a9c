"""One cell on a machine of a cluster: where its results lie there, how it is run, and what of it comes home."""

import json
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from bench import records
from bench.schema import ConfigError
from bench.sweep import worker
from bench.sweep.executor import Cell
from bench.sweep.local import LONGEST_SAVING, PRELOAD, SERVER, Running, environment, last_lines, signal_group

TOKEN = Path("sweeps", "token")  # a file of random content in the results folder, by which a machine knows it
NODE_RESULTS = Path(".cache", "generative-trilemma", "sweeps")  # below the home folder of a machine without it
SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Order:
    """One cell as it is sent to whichever machine will run it."""

    cell: Cell
    home: Path  # the sweep's results folder, absolute
    token: str  # that lies in it
    folder: Path  # that relative paths in the words start from
    threads: int  # of each of the cell's processes
    gpu: bool
    sent: dict[str, bytes]  # what home knows of the run, by path below it, for a machine that does not see home
    schema: int = records.SCHEMA


@dataclass(frozen=True)
class Ended:
    """How it ended there, with the files that must come home: none where home is shared."""

    code: int
    seconds: float
    files: dict[str, bytes]


def token(results: Path) -> str:
    """The folder's token, made where there is none."""
    file = results / TOKEN
    if not file.exists():
        records.write_text(file, secrets.token_hex(16))
    return file.read_text()


def log_of(results: Path, cell: Cell) -> Path:
    return results / "sweeps" / "logs" / f"{cell.name}.log"


def results_here(order: Order) -> Path:
    """Home if this machine sees it, else a folder of this machine that belongs to that home alone."""
    try:
        shared = (order.home / TOKEN).read_text() == order.token
    except OSError:
        shared = False
    return order.home if shared else Path.home() / NODE_RESULTS / order.token


def train(order: Order, jobs: int, say: Callable[[str], object]) -> Ended:
    """Run the cell here to its end, `say`ing its last line; KeyboardInterrupt makes it save and stop.

    `jobs` is how many such cells this machine holds at once.
    """
    if order.schema != records.SCHEMA:
        raise ConfigError(
            f"{socket.gethostname()}: its bench writes records of schema {records.SCHEMA}, the sweep's of "
            f"{order.schema}; install one version on all machines"
        )
    results = results_here(order)
    if results != order.home:
        for name, content in order.sent.items():
            records.write_bytes(results / name, content)
    log = log_of(results, order.cell)
    place = f"on {socket.gethostname()}, {order.threads} threads"
    append(log, place)
    say(place)
    started, spoken = time.monotonic(), log.stat().st_size
    one = Running(order.cell, begin(order, jobs, results, log), started, log, spoken, [])
    code = watch(one, say)
    files = {} if results == order.home else collect(results, order.cell)
    return Ended(code, time.monotonic() - started, files)


def begin(order: Order, jobs: int, results: Path, log: Path) -> ForkServerProcess:
    """A process for the cell, forked as LocalExecutor's are: from a server that has imported the suite before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # that Ray's processes block, and hand down
    with environment(SERVER):
        forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    folder = order.folder if order.folder.is_dir() else results
    words = (*order.cell.words, f"results={results}")
    arguments = (words, surroundings(order, jobs), own_cores(), order.threads, folder, log)
    process = context.Process(target=worker.run, args=arguments)
    process.start()
    return process


def surroundings(order: Order, jobs: int) -> dict[str, str]:
    """The run's environment, beside the machine's: Ray's GPUs, or none where none was asked for."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") if order.gpu else ""
    return {"BENCH_JOBS": str(jobs)} | ({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus})


def own_cores() -> list[int]:
    """The cores that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def watch(one: Running, say: Callable[[str], object]) -> int:
    """Wait for the end of a cell, and its exit status; on KeyboardInterrupt it may save before it is killed."""
    try:
        while one.process.exitcode is None:
            for line in last_lines(one.log, 1, one.spoken_before):
                say(line)
            one.process.join(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        signal_group(one, signal.SIGINT)
        one.process.join(LONGEST_SAVING)
    signal_group(one, signal.SIGKILL)  # ranks that outlived it, too
    one.process.join()
    assert one.process.exitcode is not None
    return one.process.exitcode


def append(log: Path, line: str) -> None:
    """Add what a run does not say itself to its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(f"{line}\n")


def known(home: Path, cell: Cell) -> dict[str, bytes]:
    """The cell's records at home, and the weights that what they lack would be measured with."""
    found = [run for run in cell.run_ids if records.path(home, run).exists()]
    files = [file for run in found for file in (records.path(home, run), home / "runs" / run / "final.ckpt")]
    return read(home, [file for file in files if file.exists()])


def collect(results: Path, cell: Cell) -> dict[str, bytes]:
    """All that the cell has left here but its checkpoints, and the reference records that runs are compared with."""
    files = [log_of(results, cell)]
    for run in cell.run_ids:
        files += (results / "pictures" / run).rglob("*")
        files += {*(results / "runs" / run).rglob("*")} - {*(results / "runs" / run / "checkpoints").rglob("*")}
        files += [results / "failures" / f"{run}.json", records.path(results, run)]
    recorded = records.visible(results / "records", "*.json")
    files += [file for file in recorded if records.read(file).family == records.FLOOR]
    return read(results, [file for file in files if file.is_file()])


def read(results: Path, files: list[Path]) -> dict[str, bytes]:
    return {str(file.relative_to(results)): file.read_bytes() for file in files}


def bring_home(files: dict[str, bytes], home: Path, cell: Cell) -> None:
    """Write what was collected elsewhere below the sweep's own results folder; the log goes on where it ended.

    The cell's records come last, so that a run with a record has all else; the references at home are kept.
    """
    own = {str(records.path(Path(), run)) for run in cell.run_ids}
    for name in sorted(files, key=lambda name: name in own):
        target, content = home / name, files[name]
        if target == log_of(home, cell):
            append(target, content.decode(errors="replace").rstrip("\n"))
            continue
        if target.parent.name == "records" and name not in own and target.exists():
            continue
        if target.parent.name in ("records", "failures"):
            content = told_home(content, home)
        if not (target.exists() and target.read_bytes() == content):
            records.write_bytes(target, content)
    for run in cell.run_ids:
        if str(records.path(Path(), run)) in files and f"failures/{run}.json" not in files:
            records.clear_failure(home, run)


def told_home(record: bytes, home: Path) -> bytes:
    """A record's text with the results folder that it lies in now, as bench.records.write would write it."""
    content: dict[str, Any] = json.loads(record)
    if "results" in content["config"]:
        content["config"]["results"] = str(home)
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def forget(order: Order, whole: bool) -> None:
    """Take away what has come home from here: its log, and of a `whole` run all, so that none of it is met again."""
    results = results_here(order)
    if results == order.home:
        return
    log_of(results, order.cell).unlink(missing_ok=True)
    for run in order.cell.run_ids if whole else ():
        records.path(results, run).unlink(missing_ok=True)
        shutil.rmtree(results / "runs" / run, ignore_errors=True)
        shutil.rmtree(results / "pictures" / run, ignore_errors=True)
