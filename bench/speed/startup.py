"""Measure the time of commands that only read, and of `bench train` to its first batch, beside importing its libraries.

Every side is a fresh process, in a copy of the published results. Time is wall-clock from start to end; memory is the
peak resident size of the process, in 2^20 bytes. `bench train` ends itself when its first batch begins.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.speed.answers import Answer, Rounds, Tick, interleave, quartiles, ratios

ROUNDS = 5
MOST_SECONDS, MOST_MB = 1.0, 150.0  # targets for a command that only reads
LONGEST_START = 1.3  # of `bench train`, beside importing torch and lightning
TORCH, LIGHTNING, TRAIN = "import torch", "import torch, lightning", "train, to its first batch"
READING = (
    "table",
    "table --check",
    "report --check",
    "show",
    "compare",
    "list presets",
    "list samplers",
    "list metrics",
)
END_AT_FIRST_BATCH = (
    "import os, sys; from models.base import GenerativeModel; from bench.cli.main import main; "
    "GenerativeModel.on_train_batch_start = lambda *_: os._exit(0); sys.exit(main(sys.argv[1:]) or 1)"
)


def commands(results: Path) -> dict[str, list[str]]:
    """Return each side's arguments of Python; `results` holds records, the table and the page."""
    first, second = runs(results)
    words = {"show": [first], "compare": [first, second]}
    reading = {
        name: ["-m", "bench", *name.split(), *words.get(name, ()), *([] if "list" in name else [f"results={results}"])]
        for name in READING
    }
    training = ["-c", END_AT_FIRST_BATCH, "train", "model=vae", "preset=smoke", f"results={results.parent / 'trained'}"]
    return {**reading, TRAIN: training, TORCH: ["-c", TORCH], LIGHTNING: ["-c", LIGHTNING]}


def runs(results: Path) -> tuple[str, str]:
    """Return the first two trained runs."""
    from bench.results.records import read_all

    first, second, *_ = (record.run_id for record in read_all(results) if record.images_seen)
    return first, second


def copy_published(folder: Path) -> Path:
    """Copy the published results to `folder`, and write table and page with this version."""
    from bench.config.schema import ConfigError
    from bench.runtime.provenance import ROOT

    published = ROOT / "results" / "published"
    if not published.is_dir():
        raise ConfigError(f"question=startup: {published} is missing; ask it in a checkout of the repository")
    results = Path(shutil.copytree(published, folder / "results"))
    for command in ("table", "report"):
        process(["-m", "bench", command, f"results={results}"])
    return results


def process(arguments: Sequence[str]) -> tuple[float, float]:
    """Return seconds and peak memory of Python with these arguments; RuntimeError if it fails.

    A small process starts and measures it: the kernel counts the memory that a process had before `exec`, and this
    process has torch.
    """
    command = [sys.executable, "-m", "bench.speed.startup", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"python {' '.join(arguments)}: {last}")
    seconds, memory = map(float, done.stdout.splitlines()[-1].split())
    return seconds, memory


def measure(tick: Tick) -> list[Answer]:
    """Measure time and memory of each command, beside those of its imports."""
    memory: Rounds = {}

    def seconds(name: str, arguments: Sequence[str]) -> float:
        seconds_of_process, peak = process(arguments)
        memory.setdefault(name, []).append(peak)
        return seconds_of_process

    with tempfile.TemporaryDirectory() as folder:
        sides: Mapping[str, Callable[[], float]] = {
            name: partial(seconds, name, arguments)
            for name, arguments in commands(copy_published(Path(folder))).items()
        }
        times = interleave(sides, ROUNDS, tick)
    memory = {name: peaks[1:] for name, peaks in memory.items()}  # without the round that warms up
    answers = []
    for name in READING:
        answers.append(compare_side(times, name, TORCH, "s", most=MOST_SECONDS))
        answers.append(compare_side(memory, name, TORCH, "MB", most=MOST_MB))
    answers.append(compare_side(times, TRAIN, LIGHTNING, "s", target=1 / LONGEST_START))
    answers.append(compare_side(memory, TRAIN, LIGHTNING, "MB"))
    return answers


def compare_side(
    measurements: Rounds, name: str, rival: str, unit: str, most: float | None = None, target: float | None = None
) -> Answer:
    """Answer by the median of the rounds' ratios; `most` is an absolute target, which gives the ratio's."""
    quotients = ratios(measurements, name, rival)
    ours, theirs, ratio = (
        statistics.median(measurements[name]),
        statistics.median(measurements[rival]),
        statistics.median(quotients),
    )
    note = f"to be at most {most:g} {unit}" if most else f"{1 / ratio:.2f} times theirs"
    target = theirs / most if most else target
    return Answer(f"bench {name}", rival, unit, ours, theirs, ratio, *quartiles(quotients), target=target, note=note)


if __name__ == "__main__":
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    taken = time.perf_counter() - start
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes on macOS, in units of 2^10 on Linux
    print(taken, usage.ru_maxrss / unit)
    sys.exit(os.waitstatus_to_exitcode(status) != 0)
