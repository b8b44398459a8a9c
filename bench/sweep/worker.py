"""The process of one cell: `python -m bench.cli.worker train ...` is `bench train ...` that ends with its sweep.

A worker's standard input is a pipe that its sweep holds open and never writes to. The operating system closes it when
the sweep ends, in whatever way, so the worker reads the end of the file and stops as on SIGTERM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

COMMAND = [sys.executable, "-m", "bench.cli.worker", "train"]
LAUNCHERS = ("SLURM_", "TORCHELASTIC_")  # variables of what started the sweep; a cell starts ranks of its own
SECONDS_TO_SAVE = 60.0  # that a cell has between SIGTERM and SIGKILL


def start(
    words: Sequence[str], log: Path, cores: Sequence[int], threads: int, variables: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start `bench train WORDS` in `folder` on these cores, and append its output to `log`.

    The process leads a group of its own, which holds the ranks that it starts. threads: of each rank.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    settings = {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TERM": "dumb",  # no colours in a log
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, *words], stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=folder,
            env={**environment, **settings, **variables}, start_new_session=True,
        )  # fmt: skip
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, cores)  # before its libraries start threads, which inherit it
    return process


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a worker and its ranks, which may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end_with_sweep() -> None:
    """Wait until the sweep ends, then stop this worker and its ranks as the sweep itself would."""
    os.read(0, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(SECONDS_TO_SAVE)
    os.killpg(0, signal.SIGKILL)
