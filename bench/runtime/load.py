"""Measure how many of this process's cores other processes keep busy, from Linux's /proc/stat."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")  # proc(5): a line for each core, of times since the system started
USED = (0, 1, 2, 5, 6, 7)  # its times of user, nice, system, irq, softirq and steal; the others are idle


@dataclass(frozen=True)
class Reading:
    """Seconds so far: of the wall clock, of all processes on this process's cores, and of this process."""

    wall: float
    used: float
    own: float


def own_cores() -> list[int]:
    """Return the cores that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def read() -> Reading | None:
    """Return a reading to measure from; None where the system does not tell."""
    try:
        cores = {f"cpu{core}" for core in own_cores()}
        lines = [line.split() for line in STAT.read_text().splitlines()]
        ticks = os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError):
        return None
    used = sum(int(times[field]) for name, *times in lines if name in cores for field in USED)
    return Reading(time.monotonic(), used / ticks, sum(os.times()[:4]))


def cores_of_others(since: Reading | None) -> float | None:
    """Return how many cores other processes have used since then, on average, 0 or more; None where it is unknown."""
    now = read()
    if since is None or now is None or now.wall <= since.wall:
        return None
    return max(0.0, (now.used - since.used - (now.own - since.own)) / (now.wall - since.wall))


def contention(others: float | None, threads: int, cores: int) -> float:
    """Return how many cores `threads` threads lack beside others that use so many of `cores`; 0 where it is unknown."""
    return max(0.0, threads + others - cores) if others is not None else 0.0
