"""Run what only a GPU can show, the most important first: `make gpu`, without a network after `make gpu-wheels`.

Each step has a time limit of its own and is a command that goes on where it stopped, so the same call again does what
is missing. What is finished, and what each step printed, stands in results/gpu/. `--small` is every step at a size of
seconds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

BENCH = (sys.executable, "-m", "bench")
STOPPING = 30.0  # seconds that a stopped command has to save what it computed


@dataclass(frozen=True)
class Step:
    """A command, its form for `--small`, its limit in minutes, and what it lacks: a sentence, "" for nothing."""

    name: str
    command: tuple[str, ...]
    small: tuple[str, ...]
    minutes: float
    lacks: Callable[[Path], str] = lambda cifar10: ""


def no_cifar10(folder: Path) -> str:
    return "" if folder.is_dir() else f"{folder} is not there; give --cifar10=DIR in torchvision's layout"


def no_gpu(_: Path) -> str:
    import torch

    return "" if torch.cuda.is_available() else "this machine has no GPU that PyTorch can use"


def no_second_gpu(_: Path) -> str:
    import torch

    return "" if torch.cuda.device_count() > 1 else "this machine has fewer than two GPUs"


def steps(results: Path, cifar10: Path) -> list[Step]:
    """Return the steps in their order."""
    out, root = f"results={results}", f"data.root={cifar10}"
    tiny = ("train.images=640", "evaluation.samples=64", "evaluation.timed_images=4", "preset=smoke")
    train = (*BENCH, "train")
    tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    return [
        Step("tests", (*tests, "tests", "-m", "gpu"), (*tests, "tests/models/networks", "-m", "gpu"), 8, no_gpu),
        Step("selftest", (*BENCH, "selftest"), (*BENCH, "selftest", "--help"), 5),
        Step(  # its baseline: FID of the 10,000 held-out images against the training split, 3.15 in the literature
            "inception",
            (*train, "preset=full", "data=cifar10", root, "model=vae", "train.images=1280", f"{out}/inception"),
            (*train, *tiny, "model=ae", "seed=0", f"{out}/inception"), 10, no_cifar10,
        ),
        Step("full-mnist", (*train, "preset=full", "seed=0", out), (*train, *tiny, "model=vae", "seed=0", out), 90),
        Step(
            "full-cifar10", (*train, "preset=full", "data=cifar10", root, "seed=0", out),
            (*train, *tiny, "model=gan", "seed=0", out), 120, no_cifar10,
        ),
        Step("speed", (*BENCH, "speed", f"results={results}"), (*BENCH, "speed", "--help"), 20),
        Step(
            "nccl", (*train, "preset=smoke", "model=vae", "trainer.devices=2", f"results={results}/two"),
            (*train, *tiny, "model=vae", "trainer.devices=2", "train.batch=32", f"results={results}/two"), 10,
            no_second_gpu,
        ),
        Step("table", (*BENCH, "table", "data=mnist", out), (*BENCH, "table", "preset=smoke", out), 2),
    ]  # fmt: skip


def run(todo: Sequence[Step], folder: Path, minutes: float, small: bool, cifar10: Path) -> bool:
    """Run the steps that are not finished, for `minutes` at most; record each end; return whether all are finished."""
    folder.mkdir(parents=True, exist_ok=True)
    file, until = folder / "steps.json", time.monotonic() + 60 * minutes
    state = json.loads(file.read_text()) if file.exists() else {}
    for step in todo:
        if state.get(step.name, {}).get("end") == "finished":
            print(f"{step.name}: finished before", flush=True)
            continue
        if missing := "" if small else step.lacks(cifar10):
            state[step.name] = {"end": "left out", "why": missing}
        elif (left := until - time.monotonic()) < STOPPING:
            state[step.name] = {"end": "not begun", "why": f"the {minutes:g} minutes of this call are over"}
        else:
            command = step.small if small else step.command
            entry = timed(command, min(60 * step.minutes, left), folder / f"{step.name}.log")
            if small and entry.get("status") == 5:  # no test was selected
                entry = {"end": "finished"}
            state[step.name] = entry
        file.write_text(json.dumps(state, indent=1) + "\n")
        entry = state[step.name]
        print(f"{step.name}: {entry['end']}" + (f", {entry['why']}" if "why" in entry else ""), flush=True)
    return all(state[step.name]["end"] in ("finished", "left out") for step in todo)


def timed(command: Sequence[str], seconds: float, log: Path) -> dict[str, object]:
    """Run a command into a log for so many seconds at most; stopped by SIGTERM, it saves what it computed."""
    began = time.monotonic()
    with log.open("a") as output:
        print("$", *command, file=output, flush=True)
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:  # also where this program itself is stopped
            stop(process)
    spent = round(time.monotonic() - began, 1)
    if status is None:
        return {"end": "stopped", "why": f"it took more than {seconds:.0f} s; the same call goes on", "seconds": spent}
    if status == 0:
        return {"end": "finished", "seconds": spent}
    return {"end": "failed", "why": f"exit status {status}, see {log}", "seconds": spent, "status": status}


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a command and all that it started, by SIGKILL if SIGTERM is not enough; nothing is done if it has ended."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOPPING)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--results", type=Path, help="records, logs and steps.json; results/gpu, or gpu-small, if left out"
    )
    parser.add_argument("--cifar10", type=Path, default=Path("data/cifar10"), help="CIFAR-10 in torchvision's layout")
    parser.add_argument("--minutes", type=float, default=600.0, help="of this call; the next one goes on")
    parser.add_argument("--small", action="store_true", help="every step at a size of seconds, also without a GPU")
    options = parser.parse_args(words)
    results = options.results or Path("results/gpu-small" if options.small else "results/gpu")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    todo = steps(results, options.cifar10)
    return 0 if run(todo, results, options.minutes, options.small, options.cifar10) else 1


if __name__ == "__main__":
    sys.exit(main())
