"""Cells on a Ray cluster: Ray decides which runs where and when, and starts those of a lost machine again."""

import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.schema import ConfigError
from bench.runtime.console import console
from bench.sweep import remote
from bench.sweep.executor import Cell, Outcome
from bench.sweep.logs import log_of
from bench.sweep.remote import RemoteJob, RemoteResult
from bench.sweep.worker import SECONDS_TO_SAVE, own_cores

try:
    import ray
    from ray.exceptions import RayError, TaskCancelledError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    raise ConfigError("--executor=ray: Ray is not installed; get it with `pip install ray`") from None

LOST_MACHINES = 3  # that a cell outlives
SECONDS_TO_ANSWER = 10  # that a cluster has
INTERRUPTED = 130  # the exit status of bench after Ctrl-C


class Board:
    """An actor that knows the last line of each cell that has begun."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def write(self, name: str, line: str) -> None:
        self.lines[name] = line

    def read(self) -> dict[str, str]:
        return self.lines


def run(job: RemoteJob, cpus: int, gpus: float, board: Any) -> RemoteResult:
    """The task of one cell."""
    here = ray.get_runtime_context().get_node_id()
    (holds,) = (node["Resources"] for node in ray.nodes() if node["NodeID"] == here)
    jobs = min(holds["CPU"] // cpus, holds.get("GPU", 0) // gpus if gpus else sys.maxsize)
    board.write.remote(job.cell.name, f"on {socket.gethostname()}")
    return remote.run(job, int(jobs), lambda line: board.write.remote(job.cell.name, line))


@dataclass(frozen=True)
class Submitted:
    """A cell that Ray has, and since when."""

    job: RemoteJob
    since: float


class RayExecutor:
    """`Executor` on the cluster at `address`, or on one started here for None or "local".

    A run asks for `gpus` GPUs for each of its devices, or a fraction of one, and for `cpus` cores; None: one for each
    of its processes, since networks of this suite gain little from a second, or its share of a machine with GPUs.
    """

    concurrency = None
    description = "as many at once as the cluster takes"

    def __init__(self, address: str | None, gpus: float, results: Path, cpus: int | None = None) -> None:
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(f"--gpus={gpus}: for each device of a run; choose 0, a fraction of 1, or a whole number")
        self.gpus, self.cpus, self.home = gpus, cpus, results.absolute()
        connect(address)
        self.starts_machines = address not in (None, "local")  # a cluster may, when more is asked for than it has
        self.explained = False
        self.tasks: dict[Any, Submitted] = {}
        self.run = ray.remote(run)
        near = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        board = ray.remote(Board).options(num_cpus=0, max_restarts=-1, scheduling_strategy=near)
        self.board: Any = board.remote()

    def free_places(self) -> int:
        return sys.maxsize  # which cells wait, and for what, is for Ray to decide

    def start(self, cell: Cell) -> None:
        gpus = self.gpus * cell.devices
        if gpus > 1 and gpus != int(gpus):
            raise ConfigError(f"--gpus={self.gpus}: a run on {cell.devices} devices needs whole ones; choose --gpus=1")
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus = self.cpus or cores(machines, gpus, cell.devices)
        if not any(machine.get("CPU", 0) >= cpus and machine.get("GPU", 0) >= gpus for machine in machines):
            self.explain_waiting(cell, cpus, gpus)
        threads = max(1, cpus // cell.devices)
        job = RemoteJob(cell, Path.cwd(), threads, gpus > 0, remote.sent(self.home, cell))
        task = self.run.options(num_cpus=cpus, num_gpus=gpus, max_retries=LOST_MACHINES, name=cell.name)
        self.tasks[task.remote(job, cpus, gpus, self.board)] = Submitted(job, time.monotonic())

    def explain_waiting(self, cell: Cell, cpus: int, gpus: float) -> None:
        """Say once that no machine can hold a run that asks for this; ConfigError where no larger one can join."""
        lacks = f"no machine of the cluster has the {cpus} cores and {gpus:g} GPUs that a run asks for"
        if not self.starts_machines:
            raise ConfigError(f"trainer.devices={cell.devices}, --gpus={self.gpus:g}: {lacks}; choose less of one")
        if not self.explained:
            console.print(f"[yellow]{lacks}; it waits until one joins[/]")
        self.explained = True

    def new_outcomes(self) -> list[Outcome]:
        if not self.tasks:
            return []
        done, _ = ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=0)
        return [self.outcome(task, self.tasks.pop(task)) for task in done]

    def outcome(self, task: Any, submitted: Submitted) -> Outcome:
        """Write the results of a task at home; an error on the way becomes the end of its log."""
        job, seconds = submitted.job, time.monotonic() - submitted.since
        log = log_of(self.home, job.cell.name)
        try:
            result: RemoteResult = ray.get(task)
            remote.bring_home(job, result, self.home)
        except TaskCancelledError:
            return Outcome(job.cell, INTERRUPTED, 0.0, log)
        except (RayError, OSError) as error:
            with suppress(OSError):
                cause = getattr(error, "cause", error)
                remote.append(log, f"bench: not run to its end on the cluster: {cause}\n".encode())
            return Outcome(job.cell, 1, seconds, log)
        return Outcome(job.cell, result.code, result.seconds, log)

    def running_cells(self) -> list[Cell]:
        begun = self.lines()
        return [submitted.job.cell for submitted in self.tasks.values() if submitted.job.cell.name in begun]

    def last_line(self, cell: Cell) -> str:
        return self.lines().get(cell.name, "")

    def lines(self) -> dict[str, str]:
        try:
            return dict(ray.get(self.board.read.remote(), timeout=1))
        except RayError:  # its machine is lost, or slow
            return {}

    def stop(self) -> None:
        """Cancel what waits, interrupt what runs, and bring home what that leaves."""
        for task in self.tasks:
            ray.cancel(task)
        if self.tasks:
            ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=SECONDS_TO_SAVE + 10)
        self.new_outcomes()


def connect(address: str | None) -> None:
    """Join a cluster, or start one here; ConfigError if none answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    at_sigterm = signal.getsignal(signal.SIGTERM)  # Ray sets one of its own, which ends the sweep without a word
    try:
        if address in (None, "local"):
            count = len(own_cores())
            ray.init("local", num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            check_reachable(str(address))
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ImportError, RayError) as error:
        raise ConfigError(
            f"--address={address}: no Ray cluster could be reached ({str(error).splitlines()[0]}); start one with "
            "`ray start --head`, or leave --address out for one on this machine"
        ) from None
    signal.signal(signal.SIGTERM, at_sigterm)


def check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT, where Ray itself would try for twenty minutes."""
    host, _, port = address.rpartition(":")
    if address != "auto" and "://" not in address:
        if not host or not port.isdigit():
            raise ValueError("expected auto, HOST:PORT or ray://HOST:PORT")
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()


def cores(machines: list[dict[str, float]], gpus: float, devices: int) -> int:
    """How many cores a run gets: one for each of its processes, or as large a share of a machine's as of its GPUs."""
    shares = [has.get("CPU", 1) * gpus / has["GPU"] for has in machines if gpus and has.get("GPU", 0) >= gpus]
    return max(1, int(min(shares, default=devices)))
