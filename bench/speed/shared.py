"""Compare work on an idle machine with the same beside as many busy processes as there are cores.

Every side is a fresh process, which chooses its number of threads as `bench train` does, or leaves it to torch.
Beside as many busy processes as there are cores, the fair share of another one is half of the machine.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from bench.runs.build import data_spec
from bench.runtime import load
from bench.speed.answers import Answer, Rounds, Tick, answer, interleave

ROUNDS = 3
SECONDS = 4.0  # of work in each process, after a warm-up
WORK = ("training ae", "training ddpm", "sampling ddpm")
FAIR_SHARE = 0.5
LEAST_IDLE = 0.97  # of the rate with torch's own number of threads
MOST_SLOWDOWN = 1.6  # against the fair share
ENDLESS = 10**9  # images
SAMPLED, STEPS = 16, 5  # images and steps of a call
OURS, TORCHS = "ours", "torch's"  # who chooses the number of threads


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run processes that each keep a core busy, in sessions of their own, as other programs are."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds_beside(count: int, work: str, threads: str) -> float:
    """Return seconds an image of a fresh process beside `count` busy ones; RuntimeError if it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    command = [sys.executable, "-m", "bench.speed.shared", work, threads]
    with busy_processes(count):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{work}: {last}")
    return float(done.stdout.splitlines()[-1])


def measure(tick: Tick) -> list[Answer]:
    """Return three answers for each kind of work: idle, against the fair share, and against torch's own threads."""
    cores = len(load.own_cores())
    answers = []
    for work in WORK:
        sides: Mapping[str, Callable[[], float]] = {
            f"{threads}, {count} busy": partial(seconds_beside, count, work, threads)
            for count in (0, cores)
            for threads in (OURS, TORCHS)
        }
        rounds = interleave(sides, ROUNDS, lambda share: tick(share / len(WORK)))
        answers += compared(rounds, work, cores)
    return answers


def compared(rounds: Rounds, work: str, cores: int) -> list[Answer]:
    """Return the answers for one kind of work."""
    idle, busy, torch_idle, torch_busy = (
        f"{threads}, {count} busy" for threads in (OURS, TORCHS) for count in (0, cores)
    )
    fair = rounds | {"fair": [seconds / FAIR_SHARE for seconds in rounds[idle]]}
    beside = f"{work} beside {cores} busy processes"
    return [
        answer(rounds, f"{work}, idle", "torch's own threads", "images/s", idle, torch_idle, LEAST_IDLE),
        answer(fair, beside, "half of idle", "images/s", busy, "fair", 1 / MOST_SLOWDOWN),
        answer(rounds, beside, "torch's own threads", "images/s", busy, torch_busy, None),
    ]


def training(name: str) -> Callable[[], int]:
    """Return a function that trains a model of preset quick on a batch, and returns its images."""
    import torch

    from bench.config.devices import resolve_precision
    from bench.config.load import load as load_config
    from bench.runs.build import build_data, build_model
    from bench.speed.bare import BareLoop

    (config,) = load_config(["preset=quick", "trainer.accelerator=cpu", f"model={name}", f"train.images={ENDLESS}"])
    data = build_data(config)
    model = build_model(config, data_spec(data))
    loop = BareLoop(model, data.train_dataloader(), resolve_precision(config), torch.device("cpu"))
    return partial(loop.turn, 1, 0.0)


def sampling() -> Callable[[], int]:
    """Return a function that draws images of preset quick's untrained DDPM, and returns their number."""
    import torch

    from bench.config.load import load as load_config
    from bench.runs.build import build_data, build_model
    from models.ddpm import DDPM

    (config,) = load_config(["preset=quick", "model=ddpm"])
    model = build_model(config, data_spec(build_data(config)))
    assert isinstance(model, DDPM)
    generator = torch.Generator().manual_seed(0)

    def draw() -> int:
        return len(model.sample(SAMPLED, generator, steps=STEPS))

    return draw


def work_here(work: str, threads: str) -> float:
    """Do one kind of work for some seconds, and return its seconds an image."""
    began = load.read()
    kind, _, name = work.partition(" ")
    once = training(name) if kind == "training" else sampling()
    if threads == OURS:
        from bench.runtime.threads import fit_threads

        fit_threads(began)
    for _ in range(3):
        once()
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        images += once()
    return (time.perf_counter() - start) / images


if __name__ == "__main__":
    print(work_here(*sys.argv[1:]))
