"""Cells as processes of this machine: one GPU each, or a share of the CPU's cores each."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from bench.sweep import worker
from bench.sweep.executor import Cell, Outcome

PRELOAD = ["bench.run", "bench.cli", "bench.sweep.worker", "matplotlib.backends.backend_agg", "sklearn.cluster",
           "sklearn.decomposition", "sklearn.linear_model", "sklearn.neighbors", "sklearn.pipeline"]  # fmt: skip
# A library that starts threads in the server would leave its forks without them; and colours are no good in a log.
SERVER = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TERM": "dumb"}
LONGEST_SAVING = 60.0  # seconds that a run has to save and end in before it is killed
TAIL = 4096  # bytes


@dataclass(frozen=True)
class Place:
    """A share of the machine."""

    cores: tuple[int, ...]
    gpu: str | None


def places(jobs: int | None, cells: int, gpus: Sequence[str]) -> list[Place]:
    """One for each GPU, or for each core as long as there are as many cells; `jobs` of them where that is given.

    Networks of this suite gain little from a second core: on two Xeon cores, two runs on one each see 1.4 (dae) to 1.5
    (ae, preset quick) times as many batches a second as one run on both. Places share a core only where `jobs` is
    greater than the number of cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    count = jobs or (len(gpus) if gpus else min(len(cores), cells))
    bounds = [number * len(cores) // count for number in range(count + 1)]
    return [
        Place(tuple(cores[low : max(high, low + 1)]), gpus[number % len(gpus)] if gpus else None)
        for number, (low, high) in enumerate(pairwise(bounds))
    ]


def in_words(places: Sequence[Place]) -> str:
    """How many runs at once, and on what."""
    cores = {core for place in places for core in place.cores}
    each = len(places[0].cores)
    if len(cores) < len(places):
        share = f"{len(cores)} CPU core{'s' * (len(cores) > 1)} together, where they hold each other up"
    else:
        share = f"{each} CPU core{'s' * (each > 1)} each"
    gpus = {place.gpu for place in places if place.gpu is not None}
    if gpus:
        share = f"{len(gpus)} GPU{'s' * (len(gpus) > 1)}" + (" together" if len(gpus) < len(places) else ", one each")
    return f"{len(places)} at once on {share}"


def visible_gpus() -> list[str]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    if not torch.accelerator.is_available():
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(number) for number in range(torch.accelerator.device_count())]


@dataclass
class Running:
    cell: Cell
    process: ForkServerProcess
    started: float
    log: Path
    spoken_before: int  # bytes of the log
    places: list[Place]


class LocalExecutor:
    """Forks each cell from one server that has imported the suite, so that a sweep pays for the imports once."""

    def __init__(self, places: Sequence[Place], results: Path) -> None:
        self.places, self.jobs, self.threads = list(places), len(places), len(places[0].cores)
        self.logs = results / "sweeps" / "logs"
        self.cells: dict[str, Running] = {}
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOAD)
        with environment(SERVER):
            forkserver.ensure_running()

    def free(self) -> int:
        return len(self.places)

    def start(self, cell: Cell) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = (self.logs / f"{cell.name}.log").absolute()
        taken, self.places = self.places[: cell.devices], self.places[cell.devices :]
        cores = [core for place in taken for core in place.cores]
        surroundings = {"BENCH_JOBS": str(max(1, self.jobs // len(taken)))}
        if taken[0].gpu is not None:
            surroundings["CUDA_VISIBLE_DEVICES"] = ",".join(str(place.gpu) for place in taken)
        arguments = (cell.words, surroundings, cores, max(1, len(cores) // cell.devices), Path.cwd(), log)
        process = self.context.Process(target=worker.run, args=arguments)
        log.touch()  # here, where a full disk ends in a sentence
        spoken = log.stat().st_size
        process.start()
        self.cells[cell.name] = Running(cell, process, time.monotonic(), log, spoken, taken)

    def finished(self) -> list[Outcome]:
        ended = [one for one in self.cells.values() if one.process.exitcode is not None]
        return [self.settle(one) for one in ended]

    def settle(self, one: Running) -> Outcome:
        """Give its places back; ranks that outlived it end with it."""
        signal_group(one, signal.SIGKILL)
        del self.cells[one.cell.name]
        self.places += one.places
        assert one.process.exitcode is not None
        return Outcome(one.cell, one.process.exitcode, time.monotonic() - one.started, one.log)

    def running(self) -> list[Cell]:
        return [one.cell for one in self.cells.values()]

    def said(self, cell: Cell) -> str:
        one = self.cells[cell.name]
        lines = last_lines(one.log, 1, one.spoken_before)
        return lines[0] if lines else ""

    def stop(self) -> None:
        try:
            for one in self.cells.values():
                signal_group(one, signal.SIGINT)
            self.wait(LONGEST_SAVING)
        finally:  # a second Ctrl-C ends the waiting
            for one in self.cells.values():
                signal_group(one, signal.SIGKILL)
            self.wait(LONGEST_SAVING)

    def wait(self, seconds: float) -> None:
        """Until all have ended, but no longer than that."""
        end = time.monotonic() + seconds
        while (left := [one.process.sentinel for one in self.cells.values() if one.process.exitcode is None]) and (
            time.monotonic() < end
        ):
            wait(left, timeout=end - time.monotonic())


def signal_group(one: Running, number: signal.Signals) -> None:
    """To a cell's process and the ranks that it has started."""
    assert one.process.pid is not None
    with suppress(ProcessLookupError):
        os.killpg(one.process.pid, number)
        return
    if one.process.exitcode is None:  # so young that it has no group yet
        with suppress(ProcessLookupError):
            os.kill(one.process.pid, number)


def last_lines(log: Path, count: int, begin: int = 0) -> list[str]:
    """The last lines of a log that hold anything, from byte `begin` on."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-count:]


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The process's environment with these values, for the block."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
