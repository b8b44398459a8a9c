"""Trainings that are stopped at a chosen image, and what they leave."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.results import records
from bench.training import fit
from bench.training.checkpoints import newest_first
from models.base import GenerativeModel

BUDGET = ["preset=smoke", "trainer.accelerator=cpu", "train.images=160", "train.batch=8"]
POINTS = [40, 80, 120, 160]  # images seen at the points of the curves
Tiny = dict[str, list[str]]
Train = Callable[..., records.Record]


def weights(results: str | Path) -> dict[str, torch.Tensor]:
    (file,) = Path(results).glob("runs/*/final.ckpt")
    return torch.load(file, weights_only=True)["state_dict"]


def same(one: str | Path, other: str | Path) -> bool:
    """Whether two results folders hold the same weights, curves and images seen, to the bit."""
    expected, found = weights(one), weights(other)
    (whole,), (resumed,) = (records.read_all(Path(results)) for results in (one, other))
    return (
        expected.keys() == found.keys()
        and all(torch.equal(value, found[name]) for name, value in expected.items())
        and whole.curves == resumed.curves
        and whole.curves["images_seen"] == POINTS
        and whole.images_seen == resumed.images_seen == 160
    )


def at_images(monkeypatch: pytest.MonkeyPatch, images: int, happen: Callable[[], object]) -> list[int]:
    """Let something happen when the batch begins that brings the images seen to `images`; the images seen so far."""
    start, seen = GenerativeModel.on_train_batch_start, []

    def planted(self: GenerativeModel, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        start(self, batch, batch_idx)
        seen.append(self.images_seen)
        if self.images_seen == images:
            happen()

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", planted)
    return seen


def stop(number: signal.Signals = signal.SIGINT) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


def stopped_at(train: Train, images: int, model: str = "vae", number: signal.Signals = signal.SIGINT) -> list[Path]:
    """Stop a training into broken/ there; its checkpoints, newest first."""
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, images, stop(number))
        with pytest.raises(fit.Interrupted, match=f"stopped after {images} of 160 images"):
            train(model, "broken")
    return newest_first(next(Path("broken").glob("runs/*/checkpoints")))
