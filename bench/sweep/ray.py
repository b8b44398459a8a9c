"""Run cells on a Ray cluster: Ray decides where and when each runs, and restarts the cells of a lost machine."""

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
from bench.runtime.load import own_cores
from bench.sweep import remote
from bench.sweep.executor import Cell, Outcome
from bench.sweep.logs import log_of
from bench.sweep.remote import RemoteJob, RemoteResult
from bench.sweep.worker import SECONDS_TO_SAVE

try:
    import ray
    from ray.exceptions import RayError, TaskCancelledError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    raise ConfigError("--executor=ray: Ray is not installed; install it with `pip install ray`") from None

LOST_MACHINES = 3  # after which a cell is still restarted
SECONDS_TO_CONNECT = 10
INTERRUPTED = 130  # the exit status of bench after Ctrl-C


class LineStore:
    """An actor that holds the last output line of each cell that has begun."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def write(self, name: str, line: str) -> None:
        """Replace the line of the cell `name`."""
        self.lines[name] = line

    def read(self) -> dict[str, str]:
        """Return all lines by cell."""
        return self.lines


def run(job: RemoteJob, cpus: int, gpus: float, lines: Any) -> RemoteResult:
    """Run one cell, which reserves so many CPUs and GPUs, as a task of Ray; its last line goes to the actor `lines`."""
    node_id = ray.get_runtime_context().get_node_id()
    (machine,) = (node["Resources"] for node in ray.nodes() if node["NodeID"] == node_id)
    jobs = min(machine["CPU"] // cpus, machine.get("GPU", 0) // gpus if gpus else sys.maxsize)
    lines.write.remote(job.cell.name, f"on {socket.gethostname()}")
    return remote.run(job, int(jobs), lambda line: lines.write.remote(job.cell.name, line))


@dataclass(frozen=True)
class SubmittedJob:
    """A job that Ray runs or will run."""

    job: RemoteJob
    submission_time: float


class RayExecutor:
    """`Executor` on the Ray cluster at `address`; for None or "local" it starts a cluster on this machine.

    gpus: that a run reserves for each of its devices, or a fraction of one. cpus: cores that a run reserves; None: one
    for each of its processes, since networks of this suite gain little from a second, or the same share of a machine's
    cores as of its GPUs.
    """

    concurrency = None
    description = "as many at once as the cluster has room for"

    def __init__(self, address: str | None, gpus: float, results: Path, cpus: int | None = None) -> None:
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(
                f"--gpus={gpus}: cannot be reserved for a device; choose 0, a fraction of 1, or a whole number"
            )
        self.gpus, self.cpus, self.results = gpus, cpus, results.absolute()
        connect(address)
        self.may_grow = address not in (None, "local")  # a cluster may add machines for runs that do not fit
        self.waiting_explained = False
        self.tasks: dict[Any, SubmittedJob] = {}
        self.remote_run = ray.remote(run)
        this_machine = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        actor = ray.remote(LineStore).options(num_cpus=0, max_restarts=-1, scheduling_strategy=this_machine)
        self.line_store: Any = actor.remote()

    def free_places(self) -> int:
        return sys.maxsize  # Ray keeps the queue

    def start(self, cell: Cell) -> None:
        gpus = self.gpus * cell.devices
        if gpus > 1 and gpus != int(gpus):
            raise ConfigError(f"--gpus={self.gpus}: a run on {cell.devices} devices needs whole GPUs; choose --gpus=1")
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus = self.cpus or cores_per_run(machines, gpus, cell.devices)
        if not any(machine.get("CPU", 0) >= cpus and machine.get("GPU", 0) >= gpus for machine in machines):
            self.explain_waiting(cell, cpus, gpus)
        threads = max(1, cpus // cell.devices)
        job = RemoteJob(cell, Path.cwd(), threads, gpus > 0, remote.files_to_send(self.results, cell))
        task = self.remote_run.options(num_cpus=cpus, num_gpus=gpus, max_retries=LOST_MACHINES, name=cell.name)
        self.tasks[task.remote(job, cpus, gpus, self.line_store)] = SubmittedJob(job, time.monotonic())

    def explain_waiting(self, cell: Cell, cpus: int, gpus: float) -> None:
        """Print once that no machine has room for the run; raise ConfigError if the cluster cannot grow."""
        problem = f"no machine of the cluster has the {cpus} cores and {gpus:g} GPUs that a run needs"
        if not self.may_grow:
            raise ConfigError(f"trainer.devices={cell.devices}, --gpus={self.gpus:g}: {problem}; choose smaller values")
        if not self.waiting_explained:
            console.print(f"[yellow]{problem}; such runs wait until one joins[/]")
        self.waiting_explained = True

    def new_outcomes(self) -> list[Outcome]:
        if not self.tasks:
            return []
        done, _ = ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=0)
        return [self.outcome(task, self.tasks.pop(task)) for task in done]

    def outcome(self, task: Any, submitted: SubmittedJob) -> Outcome:
        """Save the files of a task that ended, and return its outcome; an error of Ray is appended to its log."""
        job, seconds = submitted.job, time.monotonic() - submitted.submission_time
        log = log_of(self.results, job.cell.name)
        try:
            result: RemoteResult = ray.get(task)
            remote.save_files(job, result, self.results)
        except TaskCancelledError:
            return Outcome(job.cell, INTERRUPTED, 0.0, log)
        except (RayError, OSError) as error:
            with suppress(OSError):
                cause = getattr(error, "cause", error)
                remote.append(log, f"bench: the cluster did not run the cell to its end: {cause}\n".encode())
            return Outcome(job.cell, 1, seconds, log)
        return Outcome(job.cell, result.code, result.seconds, log)

    def running_cells(self) -> list[Cell]:
        lines = self.lines()
        return [submitted.job.cell for submitted in self.tasks.values() if submitted.job.cell.name in lines]

    def last_line(self, cell: Cell) -> str:
        return self.lines().get(cell.name, "")

    def lines(self) -> dict[str, str]:
        """Return the last line of each cell that has begun; {} if the actor does not answer."""
        try:
            return dict(ray.get(self.line_store.read.remote(), timeout=1))
        except RayError:  # its machine is lost, or slow
            return {}

    def stop(self) -> None:
        """Cancel the cells that wait, interrupt those that run, and save their files."""
        for task in self.tasks:
            ray.cancel(task)
        if self.tasks:
            ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=SECONDS_TO_SAVE + 10)
        self.new_outcomes()


def connect(address: str | None) -> None:
    """Join a cluster, or start one on this machine; raise ConfigError if none can be reached."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    handler = signal.getsignal(signal.SIGTERM)  # Ray replaces it by one that ends the sweep without a message
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
    signal.signal(signal.SIGTERM, handler)


def check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT; Ray itself would try for twenty minutes.

    Raises ValueError for an address of another form.
    """
    host, _, port = address.rpartition(":")
    if address != "auto" and "://" not in address:
        if not host or not port.isdigit():
            raise ValueError("expected auto, HOST:PORT or ray://HOST:PORT")
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_CONNECT).close()


def cores_per_run(machines: list[dict[str, float]], gpus: float, devices: int) -> int:
    """Return one core for each process of a run, or the same share of a machine's cores as of its GPUs.

    machines: Ray's resources of each. gpus, devices: of the run.
    """
    shares = [
        machine.get("CPU", 1) * gpus / machine["GPU"] for machine in machines if gpus and machine.get("GPU", 0) >= gpus
    ]
    return max(1, int(min(shares, default=devices)))
