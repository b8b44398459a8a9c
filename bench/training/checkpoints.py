"""Checkpoints: saved at intervals and on a stop, written atomically, loaded without pickle."""

import io
import signal
import time
import zipfile
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from bench.runtime import ranks
from bench.runtime.console import console
from bench.runtime.files import write_bytes
from bench.runtime.signals import in_main_thread
from bench.training.callbacks import at_point

KEPT = 2  # the older one is used if the newest is damaged


class WholeFiles(CheckpointIO):
    """Write checkpoints atomically, and load tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(Path(path), content.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Load to the CPU; a file that would execute code is refused whatever the arguments are."""
        return torch.load(path, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink()


class Checkpoints(Checkpoint):
    """Save the training every `seconds`, and when a signal stops it; keep the newest two checkpoints.

    The first Ctrl-C and every SIGTERM let the batch end, save, and end the training; a second Ctrl-C ends it at once.
    Ranks agree only at points of the curves, because each agreement makes them wait for each other: the first rank's
    clock decides when to save, and a signal to any rank stops all.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.number: int | None = None  # of the signal that stops the training, on any rank
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.saved = time.monotonic()
        handled = (signal.SIGINT, signal.SIGTERM) if in_main_thread() else ()  # Python lets no other thread handle them
        self.previous = {number: signal.getsignal(number) for number in handled}
        for number in self.previous:  # replaces Lightning's for SIGTERM, which would end without saving
            signal.signal(number, self.ask)

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self.previous[signal.SIGINT])

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.world_size > 1 and not (at_point(trainer) or trainer.is_last_batch):
            return
        votes = ranks.on_each(lambda: (self.number, time.monotonic() - self.saved >= self.seconds))
        self.number = self.number or next((number for number, _ in votes if number), None)
        stop, due = any(number for number, _ in votes), votes[0][1]
        if stop or due:
            save(trainer, self.folder / f"{pl_module.images_seen:012}.ckpt")
            ranks.on_first(lambda: remove_older(self.folder, KEPT))
            self.saved = time.monotonic()
        trainer.should_stop = trainer.should_stop or stop

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # a signal may have come since the last batch; the previous handlers act until Lightning restores all at its end
        numbers = ranks.on_each(lambda: self.number)
        self.number = self.number or next((number for number in numbers if number), None)
        trainer.should_stop = trainer.should_stop or any(numbers)
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def save(trainer: L.Trainer, file: Path, weights_only: bool = False) -> None:
    """Save like `Trainer.save_checkpoint`, but raise an error of the first rank, which writes, on every rank."""
    error = ranks.attempt(lambda: trainer.save_checkpoint(file, weights_only))
    if error is not None:
        trainer.strategy.barrier()  # the other ranks wait here
    ranks.on_first(lambda: ranks.result(error))


def newest_first(folder: Path) -> list[Path]:
    """Return the checkpoints, newest first; their names are the images seen."""
    return sorted(folder.glob("[0-9]*.ckpt"), reverse=True)


def remove_older(folder: Path, keep: int = 0) -> None:
    """Remove the checkpoints except for the newest few."""
    for file in newest_first(folder)[keep:]:
        file.unlink()


def newest_intact(folder: Path) -> Path | None:
    """Return the newest undamaged checkpoint; damaged ones are reported and renamed, unfinished ones removed."""
    for unfinished in (*folder.glob(".*.ckpt.*"), *folder.parent.glob(".*.ckpt.*")):
        unfinished.unlink()
    for file in newest_first(folder):
        try:
            check(file)
        except Exception as error:  # torch raises many kinds for a damaged file
            aside = file.with_suffix(".damaged")
            file.rename(aside)
            console.print(f"[yellow]{file} cannot be loaded ({type(error).__name__}); renamed to {aside.name}[/]")
        else:
            return file
    return None


def check(file: Path) -> None:
    """Raise any exception if a checkpoint is damaged, or holds more than tensors and plain values."""
    with zipfile.ZipFile(file) as parts:  # torch.load verifies no checksum
        if damaged := parts.testzip():
            raise zipfile.BadZipFile(damaged)
    torch.load(file, map_location="cpu", weights_only=True)
