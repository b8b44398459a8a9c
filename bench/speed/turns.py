"""Alternate two trainings: Lightning's, as `bench train` does it, and a rival's.

They take short turns inside one fit, so that other load on the machine affects both. A ratio is the mean over the
turns, without a tenth of them at either end. The settings are those of preset quick, with an unlimited budget.
Lightning's time includes all callbacks of `bench train` and a share of a checkpoint, which is saved every half minute.
"""

import signal
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import lightning as L
import torch

from bench.config.schema import Config
from bench.runs.build import build_data, build_model, data_spec
from bench.runtime import console as progress
from bench.runtime.signals import Terminated
from bench.training.callbacks import callback
from bench.training.checkpoints import Checkpoints
from bench.training.fit import SECONDS_BETWEEN_CHECKPOINTS, build_trainer
from datamodules.base import ImageDataModule
from models.base import GenerativeModel

ENDLESS = 10**9  # images


class Rival(Protocol):
    """Another way to train."""

    def turn(self, batches: int, seconds: float) -> int:
        """Train on as many batches as Lightning just did, or for about as long; return the number of images."""


@dataclass
class Speeds:
    """Seconds an image of Lightning's loop and of its rival, a pair for each turn."""

    batch: int  # images
    turns: list[tuple[float, float]] = field(default_factory=list)
    checkpoint: float = 0.0  # seconds that saving one takes

    def images_per_second(self) -> tuple[float, float]:
        """Return the images a second of Lightning's loop, checkpoints included, and of its rival."""
        lightning, rival = (trimmed_mean(seconds) for seconds in zip(*self.turns, strict=True))
        return 1 / (lightning * self.with_checkpoints()), 1 / rival

    def ratios(self) -> list[float]:
        """Return the rival's time as a multiple of Lightning's, of each turn, ascending."""
        return sorted(rival / (lightning * self.with_checkpoints()) for lightning, rival in self.turns)

    def overhead(self) -> float:
        """Return the seconds that a batch takes longer in Lightning's loop."""
        longer = [lightning * self.with_checkpoints() - rival for lightning, rival in self.turns]
        return self.batch * trimmed_mean(longer)

    def with_checkpoints(self) -> float:
        return 1 + self.checkpoint / SECONDS_BETWEEN_CHECKPOINTS


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean without a tenth at either end; unlike a median it includes the few turns that log losses."""
    cut = len(values) // 10
    return statistics.mean(sorted(values)[cut : len(values) - cut])


class Turns(L.Callback):
    """Lets a rival train between two batches of Lightning's, from time to time; it has to be the last callback."""

    def __init__(
        self,
        build: Callable[[L.Trainer], Rival],
        speeds: Speeds,
        seconds: float,
        turns: int,
        after_turn: Callable[[], None],
    ) -> None:
        self.build, self.speeds, self.seconds, self.turns, self.after_turn = build, speeds, seconds, turns, after_turn
        self.batches = 0
        self.warm = False  # memory is allocated in the first turn, which does not count

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # a bare loop draws what Lightning's draws, from a generator state of its own (of the CPU's generator only)
        self.random = torch.get_rng_state()
        self.rival = self.build(trainer)
        torch.set_rng_state(self.random)  # which building may have moved
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches += 1
        if time.perf_counter() - self.started < self.seconds:
            return
        device = trainer.strategy.root_device
        lightning = (now(device) - self.started) / (self.batches * self.speeds.batch)
        rival = self.rivals_turn(device)
        if self.warm:
            self.speeds.turns.append((lightning, rival))
            self.after_turn()
        self.warm, self.batches = True, 0
        trainer.should_stop = trainer.should_stop or len(self.speeds.turns) == self.turns
        self.started = time.perf_counter()

    def rivals_turn(self, device: torch.device) -> float:
        """Let the rival take its turn; return its seconds for an image."""
        state = torch.get_rng_state()
        torch.set_rng_state(self.random)
        start = time.perf_counter()
        images = self.rival.turn(self.batches, self.seconds)
        seconds = now(device) - start
        self.random = torch.get_rng_state()
        torch.set_rng_state(state)
        return seconds / images

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        file = Path(trainer.default_root_dir) / "timed.ckpt"
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            trainer.save_checkpoint(file)
            seconds.append(time.perf_counter() - start)
        self.speeds.checkpoint = statistics.median(seconds)


def now(device: torch.device) -> float:
    """Return the time when all work on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def compare(
    config: Config,
    build: Callable[[ImageDataModule, L.Trainer], Rival],
    *,
    seconds: float,
    turns: int,
    after_turn: Callable[[], None] = lambda: None,
) -> tuple[Speeds, GenerativeModel, Rival]:
    """Measure both speeds over `turns` turns of `seconds` each; return them, the model and the rival.

    `build` makes the rival when the training has begun; `after_turn` is called after every turn. Raises
    KeyboardInterrupt if the user stops it, Terminated on SIGTERM.
    """
    data = build_data(config)
    model = build_model(config, data_spec(data))
    speeds = Speeds(config.train.batch)
    turning = Turns(lambda trainer: build(data, trainer), speeds, seconds, turns, after_turn)
    quiet, progress.console.quiet = progress.console.quiet, True  # the training's own bar, which would have no end
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # as in bench.training.fit
            trainer = build_trainer(config, model, Path(folder))
            trainer.callbacks.append(turning)  # type: ignore[attr-defined]
            trainer.fit(model, datamodule=data)
    finally:
        progress.console.quiet = quiet
    if len(speeds.turns) < turns:
        raise Terminated if callback(trainer, Checkpoints).number == signal.SIGTERM else KeyboardInterrupt
    return speeds, model, turning.rival
