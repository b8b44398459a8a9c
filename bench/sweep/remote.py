"""Run one cell on a machine of a cluster: the files that are sent with it, its process, and the files it returns.

The cell runs in a temporary results folder, so machines need no common file system. The sweep sends the files of the
run that its own results folder holds, and saves there the files that the temporary folder holds at the end.
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
from bench.runtime.load import own_cores
from bench.sweep import worker
from bench.sweep.executor import Cell
from bench.sweep.logs import last_lines, log_of

SECONDS_BETWEEN_LOOKS = 1.0

Files = dict[str, bytes]  # content by path below a results folder


@dataclass(frozen=True)
class RemoteJob:
    """One cell as it is sent to whichever machine will run it."""

    cell: Cell
    folder: Path  # the working folder of the sweep, used if the machine has it: relative paths start there
    threads: int  # of each of the cell's processes
    gpu: bool
    files: Files


@dataclass(frozen=True)
class RemoteResult:
    """How a cell ended, and the files of its results folder."""

    code: int  # exit status; negative: the signal that killed it
    seconds: float
    files: Files


def read_files(results: Path, files: Iterable[Path]) -> Files:
    """Return the contents of those `files` that exist, by path below `results`."""
    return {str(file.relative_to(results)): file.read_bytes() for file in files if file.is_file()}


def files_to_send(results: Path, cell: Cell) -> Files:
    """Return the cell's record, failure and run folder, and the records of baselines, which no cell measures again."""
    folder = ResultsFolder(results)
    baselines = [
        file for file in visible(folder.records, "*.json") if records.read(file).family == records.BASELINE_FAMILY
    ]
    own = [folder.record(cell.run_id), folder.failure(cell.run_id)]
    return read_files(results, [*own, *folder.run(cell.run_id).rglob("*"), *baselines])


def run(job: RemoteJob, jobs: int, report: Callable[[str], object]) -> RemoteResult:
    """Run the cell to its end, and `report` its last line; KeyboardInterrupt makes it save its state and stop.

    jobs: the number of such cells that this machine has room for.
    """
    start_time, cores = time.monotonic(), own_cores()
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
        return RemoteResult(code, time.monotonic() - start_time, read_files(results, files))


def variables(job: RemoteJob, jobs: int) -> dict[str, str]:
    """Return the cell's environment variables: the GPUs that Ray assigned, or no GPU if it reserved none."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") if job.gpu else ""
    return {"BENCH_JOBS": str(jobs)} | ({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus})


def watch(process: subprocess.Popen[bytes], log: Path, report: Callable[[str], object]) -> int:
    """Wait until a worker ends, and return its exit status; after KeyboardInterrupt it has time to save its state."""
    try:
        while process.poll() is None:
            report("".join(last_lines(log, 1)))
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        worker.signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(worker.SECONDS_TO_SAVE)
    worker.signal_group(process, signal.SIGKILL)  # also ranks that outlived it
    return process.wait()


def save_files(job: RemoteJob, result: RemoteResult, results: Path) -> None:
    """Write a cell's files below `results`, and remove those that were sent with it and that it has removed.

    The run's record is written last, so that a run with a record has all its files. The log is appended to that of
    earlier attempts. Records of other runs, such as baselines, are written only where there are none.
    """
    own, log = records.path(results, job.cell.run_id), log_of(results, job.cell.name)
    for name in sorted(result.files, key=lambda name: results / name == own):
        file, content = results / name, result.files[name]
        if file == log:
            append(log, content)
        elif file == own or file.parent != own.parent or not file.exists():
            write_bytes(file, content)
    for name in job.files.keys() - result.files.keys():
        (results / name).unlink(missing_ok=True)


def append(log: Path, content: bytes) -> None:
    """Append to a log, and create it if need be."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(content)
