"""A training's files: saved now and then and when it is asked to stop, whole or not at all, loaded without pickle."""

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

KEPT = 2  # the one before the newest is for when that is damaged


class WholeFiles(CheckpointIO):
    """Files that are there whole or not at all, and hold tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(Path(path), content.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Load to the CPU; whatever is asked for, a file that would run code is refused."""
        return torch.load(path, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink()


class Checkpoints(Checkpoint):
    """Saves the training every `seconds` of it, and when it is asked to stop; the newest two are kept.

    The first Ctrl-C and every SIGTERM let the batch end, save, and end the training; a second Ctrl-C ends it at once.
    Several ranks agree only at points of the curves, as each agreement makes them wait for each other: the first one's
    clock decides when to save, and anyone's signal stops all.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.number: int | None = None  # of the signal that asks for a stop, on any rank
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.saved = time.monotonic()
        handled = (signal.SIGINT, signal.SIGTERM) if in_main_thread() else ()  # Python lets no other thread handle them
        self.previous = {number: signal.getsignal(number) for number in handled}
        for number in self.previous:  # of SIGTERM, Lightning's by now, which would end without saving
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
        # a signal since the last batch; from here on they act as they did, and Lightning puts all back at its end
        numbers = ranks.on_each(lambda: self.number)
        self.number = self.number or next((number for number in numbers if number), None)
        trainer.should_stop = trainer.should_stop or any(numbers)
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def save(trainer: L.Trainer, file: Path, weights_only: bool = False) -> None:
    """`Trainer.save_checkpoint`, but that an error of the first rank, which writes, is every rank's."""
    error = ranks.attempt(lambda: trainer.save_checkpoint(file, weights_only))
    if error is not None:
        trainer.strategy.barrier()  # where the others wait for it
    ranks.on_first(lambda: ranks.result(error))


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints, which are named by the images that they have seen."""
    return sorted(folder.glob("[0-9]*.ckpt"), reverse=True)


def remove_older(folder: Path, kept: int = 0) -> None:
    """Remove the checkpoints but for the newest few."""
    for file in newest_first(folder)[kept:]:
        file.unlink()


def newest_intact(folder: Path) -> Path | None:
    """The checkpoint of most images that is undamaged; others are named and set aside, and unfinished ones removed."""
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
    """Any exception if a checkpoint is not as it was written, or is not made of tensors and plain values."""
    with zipfile.ZipFile(file) as parts:  # torch.load looks at no checksum
        if damaged := parts.testzip():
            raise zipfile.BadZipFile(damaged)
    torch.load(file, map_location="cpu", weights_only=True)
