"""Callbacks of the training: averaged weights, progress in images, curves, random state."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from bench.evaluation.keys import key
from bench.runtime.console import Bar
from models.base import LOG_EVERY, GenerativeModel

MultiAverage = Callable[[list[Tensor], list[Tensor], Tensor | int], None]


def ema(decay: float) -> MultiAverage:
    """Return an exponential moving average whose decay rises as (1 + k) / (10 + k) to `decay` over its updates k.

    Without the rise, the initial weights, which are noise, would dominate the average of a short training.
    """

    def update(averages: list[Tensor], weights: list[Tensor], updates: Tensor | int) -> None:
        k = int(updates)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + k) / (10 + k)))

    return update


def averaged_weights(decay: float) -> WeightAveraging:
    """Return Lightning's averaging with `ema`; every checkpoint holds the averages, and the final model has them."""
    return WeightAveraging(use_buffers=False, multi_avg_fn=ema(decay))


@contextmanager
def averages_in_place(trainer: L.Trainer, model: L.LightningModule) -> Iterator[None]:
    """Give the model its averaged weights, if it has any, until the context ends, as Lightning does to validate."""
    averaging = [one for one in trainer.callbacks if isinstance(one, WeightAveraging)]  # type: ignore[attr-defined]
    for one in averaging:
        one.on_validation_epoch_start(trainer, model)
    try:
        yield
    finally:
        for one in averaging:
            one.on_validation_epoch_end(trainer, model)


class Snapshot(L.Callback):
    """Let a model keep its averaged weights once `images` have been seen."""

    def __init__(self, images: int) -> None:
        self.images = images

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        before = pl_module.images_seen - len(batch[0]) * trainer.world_size
        if before < self.images <= pl_module.images_seen:
            with averages_in_place(trainer, pl_module):
                weights = pl_module.snapshot_weights()
            pl_module.keep_snapshot(weights)


Callback = TypeVar("Callback", bound=L.Callback)


class ImagesSeen(L.Callback):
    """Show a progress bar in images seen with the last logged loss, and hand the curves to its watcher."""

    def __init__(self, description: str, budget: int, curves: "Curves") -> None:
        self.description, self.budget, self.curves = description, budget, curves

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, GenerativeModel)
        self.bar = Bar(self.description, self.budget, "images", done=pl_module.images_seen)
        self.bar.curves = self.curves.points
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
    """A training whose loss or weights became NaN or infinite; the message says what may help."""


class Untimed(L.Callback):
    """A callback whose own work is not part of the training; its `seconds` are subtracted from the training time."""

    def __init__(self) -> None:
        self.seconds = 0.0


def callback(trainer: L.Trainer, kind: type[Callback]) -> Callback:
    """Return the trainer's callback of this kind."""
    return next(callback for callback in trainer.callbacks if isinstance(callback, kind))  # type: ignore[attr-defined]


class Curves(L.Callback):
    """Record the logged values at every point: "images_seen", and a list for each name without its "train/".

    Raises Diverged for a value that is NaN or infinite.
    """

    def __init__(self) -> None:
        self.points: dict[str, list[float]] = {}

    def state_dict(self) -> dict[str, Any]:
        return self.points

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.points = state_dict

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not at_point(trainer):
            return
        logged = {
            name.removeprefix("train/"): float(value)
            for name, value in trainer.logged_metrics.items()
            if name.startswith("train/")
        }
        for name, value in logged.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"the {name} is {value} after {pl_module.images_seen:,} images; "
                    "a lower model.learning_rate may help"
                )
        for name, value in {"images_seen": float(pl_module.images_seen), **logged}.items():
            self.points.setdefault(name, []).append(value)


def at_point(trainer: L.Trainer) -> bool:
    """Return whether the model logs the batch that ends; the same on every rank."""
    return (trainer.fit_loop.total_batch_idx + 1) % LOG_EVERY == 0


class RandomState(L.Callback):
    """Seed the training's noise, equally on every rank, and keep its state in the checkpoint for resuming."""

    def __init__(self, seed: int) -> None:
        self.seed = key("training", seed)
        self.loaded: dict[str, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # not while loading: code between loading and training draws random numbers, too
        self.device = trainer.strategy.root_device.type
        torch.manual_seed(self.seed)
        if "cpu" in self.loaded:
            torch.set_rng_state(self.loaded["cpu"])
        if self.device in self.loaded and self.device != "cpu":
            torch.get_device_module(self.device).set_rng_state(self.loaded[self.device])

    def state_dict(self) -> dict[str, Any]:
        state = {"cpu": torch.get_rng_state()}
        if self.device != "cpu":
            state[self.device] = torch.get_device_module(self.device).get_rng_state()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.loaded = state_dict
