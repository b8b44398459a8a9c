"""How fast a sampler is: warm-up, synchronise, repeat, median; network calls counted by a hook."""

import contextlib
import ctypes
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Progress
from bench.evaluation.intervals import half_width
from bench.evaluation.keys import seeded

PROC = Path("/proc/self")
SETTLED = 2.0  # seconds of calls that a fast sampler is timed for, since a single one may be disturbed
MOST_REPEATS = 50
SLACK_MB = 16.0  # the kernel counts resident pages in batches


@dataclass(frozen=True)
class Timing:
    """Medians over calls after one warm-up call; compares only on equal hardware."""

    seconds_per_100: float
    seconds_per_100_interval: tuple[float, float] | None  # 95%, of the mean of the calls, under Student's t
    images_per_second: float
    latency: float  # seconds for one image
    nfe: int | None  # network function evaluations: forward calls for one call of sample; None without a network
    peak_memory_mb: float | None  # 2^20 bytes; None where it cannot be measured
    peak_memory_of: str  # what that peak is of
    images: int  # a call
    repeats: int  # calls of that many
    device: str
    threads: int  # of torch on the CPU


def time_sampling(
    sample: Callable[[int, torch.Generator], Tensor],
    *,
    networks: Sequence[nn.Module] = (),
    images: int = 100,
    repeats: int = 3,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Timing:
    """Time `sample(n, generator)` on `device`, for one image and for `images` at once, `repeats` times or more.

    The warm-up is one single-image call, which also counts the forward calls of `networks`, so a sampler of 1000 steps
    pays for 1000 forward passes of one image before it is timed. Raises EvaluationError unless images and repeats are
    at least 1.
    """
    if images < 1 or repeats < 1:
        raise EvaluationError(f"images={images} and repeats={repeats} must both be at least 1.")
    device = torch.device(device)
    calls = 1 + 2 * repeats
    done = 0

    def seconds(n: int) -> float:
        nonlocal done
        generator = seeded(device, "timing")
        _synchronise(device)
        start = time.perf_counter()
        sample(n, generator)
        _synchronise(device)
        elapsed = time.perf_counter() - start
        done += 1
        if progress and done <= calls:
            progress("timing", done, calls)
        return elapsed

    with _forward_calls(networks) as counted:
        seconds(1)
    latency = statistics.median(seconds(1) for _ in range(repeats))
    since_start = reset_peak_memory(device)
    each = [seconds(images) for _ in range(repeats)]
    while sum(each) < SETTLED and len(each) < MOST_REPEATS:
        each.append(seconds(images))
    batch = statistics.median(each)
    half = half_width(each) if len(each) > 1 else None
    memory, of = peak_memory(device, since_start)
    return Timing(
        seconds_per_100=100 * batch / images,
        seconds_per_100_interval=None
        if half is None
        else (100 * (batch - half) / images, 100 * (batch + half) / images),
        images_per_second=images / batch,
        latency=latency,
        nfe=len(counted) if networks else None,
        peak_memory_mb=memory,
        peak_memory_of=of,
        images=images,
        repeats=len(each),
        device=_device_name(device),
        threads=torch.get_num_threads(),
    )


def hardware(device: torch.device | str = "cpu") -> dict[str, str | int | None]:
    """What timings depend on: two of them compare only where these are equal."""
    device = torch.device(device)
    return {
        "device": device.type,
        "gpu": None if device.type == "cpu" else _device_name(device),
        "cpu": _device_name(torch.device("cpu")),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "jobs": int(os.environ.get("BENCH_JOBS", "1")),  # runs that a sweep has put on the machine at once
    }


@contextlib.contextmanager
def _forward_calls(networks: Sequence[nn.Module]) -> Iterator[list[None]]:
    """A list that grows by one with each forward call of one of `networks`; the hooks go whatever happens."""
    calls: list[None] = []
    handles = [network.register_forward_hook(lambda *_: calls.append(None)) for network in networks]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def reset_peak_memory(device: torch.device) -> str:
    """Forget the high-water mark where the system lets us, and say since when the next one counts."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return "since timing began"
    # glibc: give back what earlier work freed, which stays resident and would hide what the sampler takes of it
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (PROC / "clear_refs").write_text("5")  # proc(5): resets VmHWM
        reset = _resident("VmHWM") - _resident("VmRSS") < SLACK_MB
    except (OSError, KeyError):
        reset = False
    return "since timing began" if reset else "since the process began"


def peak_memory(device: torch.device, since: str) -> tuple[float | None, str]:
    """The high-water mark in 2^20 bytes, None where it is unknown, and in words what it is of, `since` when."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20, f"CUDA memory allocated by torch, {since}"
    try:
        return _resident("VmHWM"), f"resident memory of the process, {since}"
    except (OSError, KeyError):
        return None, "not measured on this system"


def _resident(field: str) -> float:
    """A memory field of /proc/self/status in units of 2^20 bytes."""
    status = dict(line.split(":", 1) for line in (PROC / "status").read_text().splitlines())
    return int(status[field].split()[0]) / 2**10


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
