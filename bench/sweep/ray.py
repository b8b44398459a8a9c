"""Cells on a Ray cluster: Ray decides which runs where and when, and runs those of a lost machine again."""

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

from bench.progress import console
from bench.schema import ConfigError
from bench.sweep import remote
from bench.sweep.executor import Cell, Outcome
from bench.sweep.local import LONGEST_SAVING
from bench.sweep.remote import Ended, Order

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

    def say(self, name: str, line: str) -> None:
        self.lines[name] = line

    def read(self) -> dict[str, str]:
        return self.lines


def train(order: Order, cpus: int, gpus: float, board: Any) -> tuple[Ended, str]:
    """The task of one cell: how it ended, and the id of the machine that it ended on."""
    here = ray.get_runtime_context().get_node_id()
    (holds,) = (node["Resources"] for node in ray.nodes() if node["NodeID"] == here)
    jobs = min(holds["CPU"] // cpus, holds.get("GPU", 0) // gpus if gpus else sys.maxsize)
    spoken = ""

    def say(line: str) -> None:
        nonlocal spoken
        if line != spoken:
            board.say.remote(order.cell.name, line)
        spoken = line

    return remote.train(order, int(jobs), say), here


@dataclass(frozen=True)
class Sent:
    """A cell that Ray has, and when it got it."""

    cell: Cell
    order: Order
    at: float


class RayExecutor:
    """`Executor` on the cluster at `address`, or on one started here for None or "local".

    A run asks for `gpus` GPUs for each of its devices, or a fraction of one, and for `cpus` cores; None: one for each
    of its processes, since networks of this suite gain little from a second, or its share of a machine with GPUs.
    """

    def __init__(self, address: str | None, gpus: float, results: Path, cpus: int | None = None) -> None:
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(f"--gpus={gpus}: for each device of a run; choose 0, a fraction of 1, or a whole number")
        self.gpus, self.cpus, self.home = gpus, cpus, results.absolute()
        self.token = remote.token(self.home)
        connect(address)
        self.starts_machines = address not in (None, "local")  # a cluster may, when more is asked for than it has
        self.explained = False
        self.sent: dict[Any, Sent] = {}
        self.train = ray.remote(train)
        near = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        board = ray.remote(Board).options(num_cpus=0, max_restarts=-1, scheduling_strategy=near)
        self.board: Any = board.remote()

    def free(self) -> int:
        return sys.maxsize  # who waits, and for what, is for Ray to decide

    def start(self, cell: Cell) -> None:
        gpus = self.gpus * cell.devices
        if gpus > 1 and gpus != int(gpus):
            raise ConfigError(f"--gpus={self.gpus}: a run on {cell.devices} devices needs whole ones; choose --gpus=1")
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus = self.cpus or cores(machines, gpus, cell.devices)
        if not any(one.get("CPU", 0) >= cpus and one.get("GPU", 0) >= gpus for one in machines):
            self.explain_waiting(cell, cpus, gpus)
        threads = max(1, cpus // cell.devices)
        order = Order(cell, self.home, self.token, Path.cwd(), threads, gpus > 0, remote.known(self.home, cell))
        task = self.train.options(num_cpus=cpus, num_gpus=gpus, max_retries=LOST_MACHINES, name=cell.name)
        self.sent[task.remote(order, cpus, gpus, self.board)] = Sent(cell, order, time.monotonic())

    def explain_waiting(self, cell: Cell, cpus: int, gpus: float) -> None:
        """Say once that no machine can hold a run that asks for this; ConfigError where no larger one can join."""
        lacks = f"no machine of the cluster has the {cpus} cores and {gpus:g} GPUs that a run asks for"
        if not self.starts_machines:
            raise ConfigError(f"trainer.devices={cell.devices}, --gpus={self.gpus:g}: {lacks}; choose less of one")
        if not self.explained:
            console.print(f"[yellow]{lacks}; it waits until one joins[/]")
        self.explained = True

    def finished(self) -> list[Outcome]:
        if not self.sent:
            return []
        done, _ = ray.wait(list(self.sent), num_returns=len(self.sent), timeout=0)
        return [self.outcome(task, self.sent.pop(task)) for task in done]

    def outcome(self, task: Any, sent: Sent) -> Outcome:
        """Bring home what a task has left; what went wrong on the way is the end of its log."""
        log = remote.log_of(self.home, sent.cell)
        try:
            ended, machine = ray.get(task)
            remote.bring_home(ended.files, self.home, sent.cell)
        except TaskCancelledError:
            return Outcome(sent.cell, INTERRUPTED, 0.0, log)
        except (RayError, ConfigError, OSError) as error:
            with suppress(OSError):
                remote.append(log, f"bench: not run to its end on the cluster: {getattr(error, 'cause', error)}")
            return Outcome(sent.cell, 1, time.monotonic() - sent.at, log)
        if ended.files:
            there = NodeAffinitySchedulingStrategy(machine, soft=False)
            forget = ray.remote(remote.forget).options(num_cpus=0, scheduling_strategy=there)
            forget.remote(sent.order, ended.code == 0)
        return Outcome(sent.cell, ended.code, ended.seconds, log)

    def running(self) -> list[Cell]:
        begun = self.lines()
        return [sent.cell for sent in self.sent.values() if sent.cell.name in begun]

    def said(self, cell: Cell) -> str:
        return self.lines().get(cell.name, "")

    def lines(self) -> dict[str, str]:
        try:
            return dict(ray.get(self.board.read.remote(), timeout=1))
        except RayError:  # its machine is lost, or slow
            return {}

    def stop(self) -> None:
        """Cancel what waits, interrupt what runs, and bring home what that leaves."""
        for task in self.sent:
            ray.cancel(task)
        if self.sent:
            ray.wait(list(self.sent), num_returns=len(self.sent), timeout=LONGEST_SAVING + 10)
        self.finished()


def connect(address: str | None) -> None:
    """Join a cluster, or start one here; ConfigError if none answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    at_sigterm = signal.getsignal(signal.SIGTERM)  # Ray sets one of its own, which ends the sweep without a word
    try:
        if address in (None, "local"):
            count = len(remote.own_cores())
            ray.init("local", num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            knock(str(address))
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ImportError, RayError) as error:
        raise ConfigError(
            f"--address={address}: no Ray cluster could be reached ({str(error).splitlines()[0]}); start one with "
            "`ray start --head`, or leave --address out for one on this machine"
        ) from None
    signal.signal(signal.SIGTERM, at_sigterm)


def knock(address: str) -> None:
    """OSError if nobody listens at HOST:PORT, where Ray itself would try for twenty minutes."""
    host, _, port = address.rpartition(":")
    if address != "auto" and "://" not in address:
        if not host or not port.isdigit():
            raise ValueError("expected auto, HOST:PORT or ray://HOST:PORT")
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()


def cores(machines: list[dict[str, float]], gpus: float, devices: int) -> int:
    """How many cores a run gets: one for each of its processes, or as large a share of a machine's as of its GPUs."""
    shares = [one.get("CPU", 1) * gpus / one["GPU"] for one in machines if gpus and one.get("GPU", 0) >= gpus]
    return max(1, int(min(shares, default=devices)))
