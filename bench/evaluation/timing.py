"""Time a sampler: warm-up, synchronisation, repeated calls, medians of blocks; a hook counts network calls."""

import contextlib
import ctypes
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from bench.evaluation.errors import EvaluationError
from bench.evaluation.keys import seeded
from bench.evaluation.metrics.intervals import half_width
from bench.evaluation.passes import counted_passes
from bench.evaluation.samples import Sample
from bench.runtime import load

PROC = Path("/proc/self")
SETTLED = 2.0  # seconds of calls that a fast sampler is timed for, since a single one may be disturbed
SETTLED_ONE = 1.0  # the same for calls of one image
MOST_REPEATS = 50
BLOCKS = 10  # of consecutive calls, at most: calls are correlated with the next one, blocks hardly
SLACK_MB = 16.0  # the kernel counts resident pages in batches


@dataclass(frozen=True)
class Timing:
    """Means of the medians of blocks of consecutive calls, after a warm-up; compares only on equal hardware."""

    seconds_per_100: float
    seconds_per_100_interval: tuple[float, float] | None  # 95%, over blocks, under Student's t; None of one call
    images_per_second: float
    latency: float  # seconds for one image
    latency_interval: tuple[float, float] | None  # as above
    # network function evaluations of one image: forward calls, or two where a call guides; None without a network. Of
    # a network that is replayed as a CUDA graph, replays count; the passes that record it are in no timed call.
    nfe: int | None
    peak_memory_mb: float | None  # 2^20 bytes; None where it cannot be measured
    peak_memory_of: str  # what that peak is of
    images: int  # a call
    repeats: int  # calls of that many
    device: str
    threads: int  # of torch on the CPU
    cores_of_others: float | None  # that other processes used meanwhile, on average; None where it is unknown


def time_sampling(
    sample: Sample,
    *,
    networks: Sequence[nn.Module] = (),
    images: int = 100,
    repeats: int = 3,
    device: torch.device | str = "cpu",
) -> Timing:
    """Time `sample(n, generator)` on `device`, for one image and for `images` at once, `repeats` times or more.

    The warm-up is one single-image call, which also counts the evaluations of `networks`, so a sampler of 1000 steps
    pays for 1000 forward passes of one image before it is timed. On a GPU a call of `images` follows it, in which
    libraries choose their algorithms for that size and graphs are recorded. Raises EvaluationError unless images and
    repeats are at least 1.
    """
    if images < 1 or repeats < 1:
        raise EvaluationError(f"images={images} and repeats={repeats} must both be at least 1.")
    device = torch.device(device)
    evaluations: list[int] = []
    with counted_passes(networks, evaluations.append):
        seconds_of_call(sample, 1, device)
    if device.type != "cpu":
        seconds_of_call(sample, images, device)
    began = load.read()
    latency, latency_interval = in_blocks(repeated_calls(sample, 1, device, repeats, SETTLED_ONE))
    since_start = reset_peak_memory(device)
    batch_times = repeated_calls(sample, images, device, repeats, SETTLED)
    batch, interval = in_blocks(batch_times)
    memory, memory_of = peak_memory(device, since_start)
    return Timing(
        seconds_per_100=100 * batch / images,
        seconds_per_100_interval=interval and (100 * interval[0] / images, 100 * interval[1] / images),
        images_per_second=images / batch,
        latency=latency,
        latency_interval=latency_interval,
        nfe=sum(evaluations) if networks else None,
        peak_memory_mb=memory,
        peak_memory_of=memory_of,
        images=images,
        repeats=len(batch_times),
        device=_device_name(device),
        threads=torch.get_num_threads(),
        cores_of_others=load.cores_of_others(began),
    )


def seconds_of_call(sample: Sample, n: int, device: torch.device) -> float:
    """Return the wall-clock seconds of one call for n images, with the device synchronised before and after."""
    generator = seeded(device, "timing")
    _synchronise(device)
    start = time.perf_counter()
    sample(n, generator)
    _synchronise(device)
    return time.perf_counter() - start


def repeated_calls(sample: Sample, n: int, device: torch.device, repeats: int, enough: float) -> list[float]:
    """Return the seconds of `repeats` calls for n images, and of more until they sum to `enough` seconds."""
    times: list[float] = []
    while len(times) < repeats or (sum(times) < enough and len(times) < MOST_REPEATS):
        times.append(seconds_of_call(sample, n, device))
    return times


def in_blocks(seconds: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean of the medians of at most 10 blocks of consecutive calls, and its 95% interval; None of one call.

    Medians, because a single call may be disturbed. Blocks, because consecutive calls are correlated: an interval of
    single calls would be too narrow.
    """
    count = min(BLOCKS, len(seconds))
    edges = [len(seconds) * block // count for block in range(count + 1)]
    medians = [statistics.median(seconds[a:b]) for a, b in pairwise(edges)]
    value = statistics.fmean(medians)
    if count == 1:
        return value, None
    half = half_width(medians)
    return value, (max(0.0, value - half), value + half)


def hardware(device: torch.device | str = "cpu") -> dict[str, str | int | None]:
    """Return what timings depend on: two timings compare only where it is equal."""
    device = torch.device(device)
    return {
        "device": device.type,
        "gpu": None if device.type == "cpu" else _device_name(device),
        "cpu": _device_name(torch.device("cpu")),
        "cores": len(load.own_cores()),
        "threads": torch.get_num_threads(),
        "jobs": int(os.environ.get("BENCH_JOBS", "1")),  # runs that a sweep has put on the machine at once
    }


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def reset_peak_memory(device: torch.device) -> str:
    """Reset the high-water mark of memory where the system allows it, and return since when the next one counts."""
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
    """Return the high-water mark in 2^20 bytes, None where it is unknown, and a description of it with `since`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20, f"CUDA memory allocated by torch, {since}"
    try:
        return _resident("VmHWM"), f"resident memory of the process, {since}"
    except (OSError, KeyError):
        return None, "not measured on this system"


def _resident(field: str) -> float:
    """Return a memory field of /proc/self/status in units of 2^20 bytes."""
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
