"""One cell on a machine of a cluster: what it is sent, how it is run there, and what it brings home.

The cell runs in a temporary results folder, so machines need no file system in common. What home knows of the run goes
there, and the folder's files are the result: home then holds of the run what the folder held.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.results import records
from bench.results.layout import ResultsFolder
from bench.runtime.files import visible, write_bytes, write_text
from bench.sweep import worker
from bench.sweep.executor import Cell
from bench.sweep.logs import last_lines, log_of

SECONDS_BETWEEN_LOOKS = 1.0

Files = dict[str, bytes]  # content by path below a results folder


@dataclass(frozen=True)
class RemoteJob:
    """One cell as it is sent to whichever machine will run it."""

    cell: Cell
    folder: Path  # that relative paths of the cell's words start from, where a machine has it
    threads: int  # of each of the cell's processes
    gpu: bool
    files: Files


@dataclass(frozen=True)
class RemoteResult:
    """How a cell ended, and the files that it left."""

    code: int
    seconds: float
    files: Files


def read(results: Path, files: Iterable[Path]) -> Files:
    return {str(file.relative_to(results)): file.read_bytes() for file in files if file.is_file()}


def sent(home: Path, cell: Cell) -> Files:
    """Return what home knows of the run, with its checkpoints, and the records of baselines, which no cell repeats."""
    folder = ResultsFolder(home)
    baselines = [
        file for file in visible(folder.records, "*.json") if records.read(file).family == records.BASELINE_FAMILY
    ]
    own = [folder.record(cell.run_id), folder.failure(cell.run_id)]
    return read(home, [*own, *folder.run(cell.run_id).rglob("*"), *baselines])


def run(job: RemoteJob, jobs: int, report: Callable[[str], object]) -> RemoteResult:
    """Run the cell to its end, and `report` its last line; KeyboardInterrupt makes it save its state and stop.

    jobs: how many such cells this machine holds at once.
    """
    started, cores = time.monotonic(), worker.own_cores()
    with TemporaryDirectory(prefix="bench-") as name:
        results = Path(name)
        for file, content in job.files.items():
            write_bytes(results / file, content)
        log = log_of(results, job.cell.name)
        write_text(log, f"on {socket.gethostname()}, {job.threads} threads\n")
        folder = job.folder if job.folder.is_dir() else results
        words = (*job.cell.words, f"results={results}")
        process = worker.start(words, log, cores, job.threads, variables(job, jobs), folder)
        code = watch(process, log, report)
        files = [file for file in results.rglob("*") if "locks" not in file.relative_to(results).parts]
        return RemoteResult(code, time.monotonic() - started, read(results, files))


def variables(job: RemoteJob, jobs: int) -> dict[str, str]:
    """Environment variables of the cell: Ray's GPUs, or none where it asked for none."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") if job.gpu else ""
    return {"BENCH_JOBS": str(jobs)} | ({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus})


def watch(process: subprocess.Popen[bytes], log: Path, report: Callable[[str], object]) -> int:
    """Wait for the end of a worker, and return its exit status; KeyboardInterrupt gives it time to save its state."""
    try:
        while process.poll() is None:
            report("".join(last_lines(log, 1)))
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        worker.signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(worker.SECONDS_TO_SAVE)
    worker.signal_group(process, signal.SIGKILL)  # also to ranks that outlived it
    return process.wait()


def bring_home(job: RemoteJob, result: RemoteResult, home: Path) -> None:
    """Write a cell's files below `home`, and remove those that it was sent and has removed.

    The run's record comes last, so that a run with a record has all else. The log is added to the log of earlier
    attempts, and references at home stay as they are.
    """
    own, log = records.path(home, job.cell.run_id), log_of(home, job.cell.name)
    for name in sorted(result.files, key=lambda name: home / name == own):
        file, content = home / name, result.files[name]
        if file == log:
            append(log, content)
        elif file == own or file.parent != own.parent or not file.exists():
            write_bytes(file, content)
    for name in job.files.keys() - result.files.keys():
        (home / name).unlink(missing_ok=True)


def append(log: Path, content: bytes) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(content)
