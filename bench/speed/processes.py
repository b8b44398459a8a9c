"""How much faster do two processes train than one? On the CPU, one core for each, started as `bench train` starts them.

The same training in both cases, so each of two processes has half of every batch; and once more with twice the batch,
so that each has as many images as the one process. The target is of what two processes of full speed would reach.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.speed.answers import Answer, Rounds, Tick, answer

MODELS = ("ddpm", "vae")
ROUNDS = 3
SECONDS = 8.0  # of training, after what warms up
WARM = 5  # batches that do not count
TARGET = 0.85


def train(words: list[str]) -> None:
    """In the processes: train for a while on one core each, and print seconds an image from the first rank."""
    import lightning as L
    import torch

    from bench.config.load import load
    from bench.runs.build import build_data, build_model
    from bench.runtime import ranks
    from bench.runtime.allocator import keep_freed
    from bench.speed.turns import ENDLESS
    from bench.training.fit import build_trainer
    from bench.training.launch import launch

    class Watch(L.Callback):
        """Ends the training after SECONDS, on every rank after the same batch."""

        def on_train_start(self, *_: Any) -> None:
            self.times: list[float] = []

        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            self.times.append(time.perf_counter())
            if len(self.times) > WARM and len(self.times) % 5 == 0:
                over = self.times[-1] - self.times[WARM - 1] > SECONDS
                trainer.should_stop = ranks.on_first(lambda: over)

    torch.set_num_threads(1)
    keep_freed()
    (config,) = load(["preset=quick", "trainer.accelerator=cpu", f"train.images={ENDLESS}", *words])
    launch(config.trainer)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[ranks.rank() % len(cores)]})
    data = build_data(config)
    model = build_model(config, data.image_shape)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(config, model, Path(folder))
        trainer.callbacks.append(watch)  # type: ignore[attr-defined]
        trainer.fit(model, datamodule=data)
    if ranks.rank() == 0:
        print(
            "seconds an image",
            (watch.times[-1] - watch.times[WARM - 1]) / (len(watch.times) - WARM) / config.train.batch,
        )


def seconds_an_image(words: list[str]) -> float:
    """What `train` prints."""
    command = [sys.executable, "-m", "bench.speed.processes", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("seconds an image")]
    return float(line.split()[-1])


def measure(tick: Tick) -> list[Answer]:
    """Two answers for each model: with the same batch, and with twice the batch."""
    from bench.config.load import load

    answers = []
    share = 1 / len(MODELS) / ROUNDS / 3
    for model in MODELS:
        (config,) = load(["preset=quick", f"model={model}"])
        batch = config.train.batch
        cases = {"one": [], "two": ["trainer.devices=2"], "twice": ["trainer.devices=2", f"train.batch={2 * batch}"]}
        measured: Rounds = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, words in cases.items():
                measured[name].append(seconds_an_image([f"model={model}", *words]))
                tick(share)
        measured["limit"] = [seconds / 2 for seconds in measured["one"]]
        one = 1 / statistics.median(measured["one"])
        for name, of in (("two", f"{batch} in all"), ("twice", f"{batch} each")):
            what = f"two processes training {model}, batch of {of}"
            note = f"one process: {one:,.0f} images/s"
            answers.append(answer(measured, what, "twice one process", "images/s", name, "limit", TARGET, note))
    return answers


if __name__ == "__main__":
    train(sys.argv[1:])
