"""Run cells as processes of this machine, each on a GPU or on a share of the CPU's cores."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.runtime.load import own_cores
from bench.sweep import worker
from bench.sweep.executor import Cell, Outcome
from bench.sweep.logs import last_lines, log_of


@dataclass(frozen=True)
class Place:
    """A share of the machine."""

    cores: tuple[int, ...]
    gpu: str | None


def places(jobs: int | None, cells: int, gpus: Sequence[str]) -> list[Place]:
    """Return a place for each GPU, or for each core but no more than `cells`; `jobs` overrides their number.

    Networks of this suite gain little from a second core: on two Xeon cores, two runs on one each see 1.4 (dae) to 1.5
    (ae, preset quick) times as many batches a second as one run on both. Places share a core only where `jobs` is
    greater than the number of cores.
    """
    cores = own_cores()
    count = jobs or (len(gpus) if gpus else min(len(cores), cells))
    bounds = [number * len(cores) // count for number in range(count + 1)]
    return [
        Place(tuple(cores[low : max(high, low + 1)]), gpus[number % len(gpus)] if gpus else None)
        for number, (low, high) in enumerate(pairwise(bounds))
    ]


def describe(places: Sequence[Place]) -> str:
    """Return how many runs go on at once, and on what, in words."""
    cores = {core for place in places for core in place.cores}
    cores_per_run = len(places[0].cores)
    if len(cores) < len(places):
        share = f"{len(cores)} shared CPU core{'s' * (len(cores) > 1)}, where they slow each other down"
    else:
        share = f"{cores_per_run} CPU core{'s' * (cores_per_run > 1)} each"
    gpus = {place.gpu for place in places if place.gpu is not None}
    if gpus:
        share = f"{len(gpus)} GPU{'s' * (len(gpus) > 1)}, {'shared' if len(gpus) < len(places) else 'one each'}"
    return f"{len(places)} at once on {share}"


def visible_gpus() -> list[str]:
    """Return the GPUs of this process, by their names in CUDA_VISIBLE_DEVICES."""
    import torch

    if not torch.accelerator.is_available():
        return []
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names.split(",") if names else [str(number) for number in range(torch.accelerator.device_count())]


@dataclass(frozen=True)
class RunningCell:
    """A cell with its worker, its log and its places."""

    cell: Cell
    process: subprocess.Popen[bytes]
    start_time: float
    log: Path
    log_begin: int  # bytes of the log that earlier attempts wrote
    places: list[Place]


class LocalExecutor:
    """`Executor` that starts a worker for each cell.

    postpone_timings: the workers do not time samplers.
    """

    def __init__(self, places: Sequence[Place], results: Path, postpone_timings: bool = False) -> None:
        self.postpone_timings = postpone_timings
        self.places, self.concurrency, self.threads = list(places), len(places), len(places[0].cores)
        self.description = describe(places)
        self.results = results.absolute()
        self.cells: dict[str, RunningCell] = {}

    def free_places(self) -> int:
        return len(self.places)

    def start(self, cell: Cell) -> None:
        places, self.places = self.places[: cell.devices], self.places[cell.devices :]
        cores = [core for place in places for core in place.cores]
        variables = {"BENCH_JOBS": str(max(1, self.concurrency // len(places)))}
        if self.postpone_timings:
            variables["BENCH_TIMINGS"] = "postponed"
        if places[0].gpu is not None:
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(str(place.gpu) for place in places)
        log = log_of(self.results, cell.name)
        begin = log.stat().st_size if log.exists() else 0
        process = worker.start(cell.words, log, cores, max(1, len(cores) // cell.devices), variables, Path.cwd())
        self.cells[cell.name] = RunningCell(cell, process, time.monotonic(), log, begin, places)

    def new_outcomes(self) -> list[Outcome]:
        return [
            self.settle(cell, code) for cell in list(self.cells.values()) if (code := cell.process.poll()) is not None
        ]

    def settle(self, cell: RunningCell, code: int) -> Outcome:
        """Kill ranks that outlived the cell, free its places, and return its outcome."""
        worker.signal_group(cell.process, signal.SIGKILL)
        del self.cells[cell.cell.name]
        self.places += cell.places
        return Outcome(cell.cell, code, time.monotonic() - cell.start_time, cell.log)

    def running_cells(self) -> list[Cell]:
        return [entry.cell for entry in self.cells.values()]

    def last_line(self, cell: Cell) -> str:
        entry = self.cells[cell.name]
        return "".join(last_lines(entry.log, 1, entry.log_begin))

    def stop(self) -> None:
        processes = [cell.process for cell in self.cells.values()]
        try:
            for process in processes:
                worker.signal_group(process, signal.SIGTERM)
            wait(processes, worker.SECONDS_TO_SAVE)
        finally:  # also after a second Ctrl-C, which interrupts the waiting
            for process in processes:
                worker.signal_group(process, signal.SIGKILL)
            wait(processes, worker.SECONDS_TO_SAVE)


def wait(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait until all processes have ended, or `seconds` have passed."""
    end = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return
