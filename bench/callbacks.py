"""What runs beside the training: averaged weights, progress in images, a clean stop on Ctrl-C, RNG state."""

import math
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor

from bench.progress import Bar
from models import GenerativeModel
from models.base import LOG_EVERY

MultiAverage = Callable[[list[Tensor], list[Tensor], Tensor | int], None]


def ema(decay: float) -> MultiAverage:
    """Exponential moving average whose decay rises as (1 + k) / (10 + k) to `decay` over its updates k.

    Without the rise the first weights, which are noise, would weigh on a short training's average.
    """

    def update(averages: list[Tensor], weights: list[Tensor], updates: Tensor | int) -> None:
        k = int(updates)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + k) / (10 + k)))

    return update


def averaged_weights(decay: float) -> WeightAveraging:
    """Lightning's averaging with `ema`: the averages are in every checkpoint and become the model's when it ends."""
    return WeightAveraging(use_buffers=False, multi_avg_fn=ema(decay))


class ImagesSeen(L.Callback):
    """A progress bar in images seen, with the last logged loss beside it."""

    def __init__(self, description: str, budget: int) -> None:
        self.description, self.budget = description, budget

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, GenerativeModel)
        self.bar = Bar(self.description, self.budget, "images", done=pl_module.images_seen)
        self.bar.__enter__()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.bar.advance(pl_module.images_seen - self.bar.done, lambda: last_loss(trainer))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.bar.__exit__(None, None, None)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.__exit__(type(exception), exception, None)


def last_loss(trainer: L.Trainer) -> str:
    loss = trainer.logged_metrics.get("train/loss")
    return "" if loss is None else f"loss {float(loss):.4g}"


class Diverged(Exception):
    """A training whose loss or weights are no finite numbers any more; the message says what may help."""


class FiniteLoss(L.Callback):
    """Stops a training that has diverged, at the next point of its curve."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.fit_loop.total_batch_idx + 1) % LOG_EVERY:
            return
        loss = trainer.logged_metrics.get("train/loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise Diverged(
                f"the loss is {float(loss)} after {pl_module.images_seen:,} images; "
                "a lower model.learning_rate may help"
            )


class RandomState(L.Callback):
    """Seeds the training's noise, other on each rank, and keeps its state in the checkpoint for the resumed run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.loaded = state_dict

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # not while loading: what is built between loading and training draws numbers too
        if self.loaded is None:
            torch.manual_seed(int(np.random.SeedSequence([self.seed, trainer.global_rank]).generate_state(1)[0]))
            return
        torch.set_rng_state(self.loaded["cpu"].cpu())
        if "cuda" in self.loaded and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.loaded["cuda"].cpu())


class CleanStop(L.Callback):
    """On the first Ctrl-C: finish the batch, save a checkpoint, end the training. A second one stops at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.previous = signal.signal(signal.SIGINT, self.ask)

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.previous)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        # one rank's signal stops all of them at the same batch
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False) and not trainer.should_stop:
            trainer.save_checkpoint(self.folder / f"interrupted-{pl_module.images_seen:012}.ckpt")
            trainer.should_stop = True

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signal.signal(signal.SIGINT, self.previous)


def checkpoints(folder: Path, seconds: float) -> ModelCheckpoint:
    """The newest state, replaced every few seconds of training; Lightning writes it aside and renames it."""
    return ModelCheckpoint(
        folder, filename="{step:012}", train_time_interval=timedelta(seconds=seconds), enable_version_counter=False
    )
