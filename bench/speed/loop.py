"""What does Lightning's loop cost? Every family trained as `bench train` does it, and by a bare PyTorch loop.

    python -m bench.speed loop

Both train the same model on the same batches to the same weights. They take turns of a third of a second inside one
fit, so that whatever else the machine does falls on both alike; the ratio is the mean over the turns, less a tenth of
them at either end. The settings are those of preset quick, but that the budget has no end. Lightning's time has all the
callbacks of `bench train` and its share of a checkpoint, which is saved every half minute; the bare loop has the losses
of every 50th batch. The target is a ratio of 0.95.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import progress
from bench.config import load
from bench.fit import SECONDS_BETWEEN_CHECKPOINTS, build_trainer
from bench.run import build_data, build_model
from bench.schema import Config
from bench.speed.bare import BareLoop
from models import MODELS, GenerativeModel

SECONDS = 0.3  # of Lightning's turn; the bare loop's has as many batches
TURNS = 30
ENDLESS = 10**9  # images
TARGET = 0.95


@dataclass
class Speeds:
    """Seconds a batch of Lightning's loop and of the bare one, a pair for each turn."""

    batch: int  # images
    turns: list[tuple[float, float]] = field(default_factory=list)
    checkpoint: float = 0.0  # seconds that saving one takes

    def images_per_second(self) -> tuple[float, float]:
        """Of Lightning's loop, checkpoints included, and of the bare one."""
        lightning, bare = (trimmed_mean(seconds) for seconds in zip(*self.turns, strict=True))
        return self.batch / (lightning * self.with_checkpoints()), self.batch / bare

    def ratios(self) -> list[float]:
        """Of each turn, ascending: the share of Lightning's time that the bare loop takes."""
        return sorted(bare / (lightning * self.with_checkpoints()) for lightning, bare in self.turns)

    def overhead(self) -> float:
        """Seconds that a batch takes longer in Lightning's loop."""
        return trimmed_mean([lightning * self.with_checkpoints() - bare for lightning, bare in self.turns])

    def with_checkpoints(self) -> float:
        return 1 + self.checkpoint / SECONDS_BETWEEN_CHECKPOINTS


def trimmed_mean(values: Sequence[float]) -> float:
    """Less a tenth at either end; unlike a median it has its share of the few turns in which losses are logged."""
    cut = len(values) // 10
    return statistics.mean(sorted(values)[cut : len(values) - cut])


class Turns(L.Callback):
    """Lets a bare loop train now and then between two batches of Lightning's; it has to be the last callback."""

    def __init__(
        self,
        build: Callable[[L.Trainer], BareLoop],
        speeds: Speeds,
        seconds: float,
        turns: int,
        each: Callable[[], None],
    ) -> None:
        self.build, self.speeds, self.seconds, self.turns, self.each = build, speeds, seconds, turns, each
        self.batches = 0
        self.warm = False  # memory is allocated in the first turn, which does not count

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # the bare loop draws what Lightning's draws, from a generator state of its own (of the CPU's generator only)
        self.random = torch.get_rng_state()
        self.bare = self.build(trainer)
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches += 1
        if time.perf_counter() - self.started < self.seconds:
            return
        device = trainer.strategy.root_device
        lightning = now(device) - self.started
        bare = self.bare_turn(device)
        if self.warm:
            self.speeds.turns.append((lightning / self.batches, bare / self.batches))
            self.each()
        self.warm, self.batches = True, 0
        trainer.should_stop = trainer.should_stop or len(self.speeds.turns) == self.turns
        self.started = time.perf_counter()

    def bare_turn(self, device: torch.device) -> float:
        """Seconds that the bare loop takes for Lightning's last batches."""
        mine = torch.get_rng_state()
        torch.set_rng_state(self.random)
        start = time.perf_counter()
        self.bare.run(self.batches)
        seconds = now(device) - start
        self.random = torch.get_rng_state()
        torch.set_rng_state(mine)
        return seconds

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        file = Path(trainer.default_root_dir) / "timed.ckpt"
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            trainer.save_checkpoint(file)
            seconds.append(time.perf_counter() - start)
        self.speeds.checkpoint = statistics.median(seconds)


def now(device: torch.device) -> float:
    """The time when all work on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def compare(
    config: Config, seconds: float, turns: int, each: Callable[[], None] = lambda: None
) -> tuple[Speeds, GenerativeModel, BareLoop]:
    """Both loops' speeds over turns of so many seconds, and what they trained; `each` is called after every turn.

    KeyboardInterrupt if the user stops it.
    """
    data = build_data(config)
    model, other = build_model(config, data.image_shape), build_model(config, data.image_shape)

    def build(trainer: L.Trainer) -> BareLoop:
        return BareLoop(other, data.train_dataloader(), str(trainer.precision), trainer.strategy.root_device)

    speeds = Speeds(config.train.batch)
    callback = Turns(build, speeds, seconds, turns, each)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # as in bench.fit
        trainer = build_trainer(config, model, Path(folder))
        trainer.callbacks.append(callback)  # type: ignore[attr-defined]
        trainer.fit(model, datamodule=data)
    if len(speeds.turns) < turns:
        raise KeyboardInterrupt
    return speeds, model, callback.bare


def row(model: str, speeds: Speeds) -> list[str]:
    """A line of the table."""
    lightning, bare = speeds.images_per_second()
    low, _, high = statistics.quantiles(speeds.ratios(), n=4, method="inclusive")
    ratio = trimmed_mean(speeds.ratios())
    marked = f"{ratio:.3f}" if ratio >= TARGET else f"[red]{ratio:.3f}[/]"
    return [
        model, f"{lightning:,.0f}", f"{bare:,.0f}", marked, f"{low:.3f}–{high:.3f}",
        f"{speeds.overhead() * 1e6:,.0f} µs", f"{speeds.checkpoint * 1e3:,.0f} ms",
    ]  # fmt: skip


def main() -> None:
    """Measure every family and print a table."""
    table = Table(
        title=f"Training in images/s, threads: {torch.get_num_threads()}",
        caption="the ratio over all turns and over the middle half; what a batch takes longer; a checkpoint",
    )
    for name in ("model", "Lightning", "bare", "ratio", "middle half", "longer", "saving"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    progress.console.quiet = True  # the training's own bar, which goes on counting
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Lightning's loop and a bare one", total=len(MODELS) * TURNS)
            for model in MODELS:
                (config,) = load(["preset=quick", f"model={model}", f"train.images={ENDLESS}"])
                bar.update(task, description=model)
                speeds, _, _ = compare(config, SECONDS, TURNS, lambda: bar.advance(task))
                table.add_row(*row(model, speeds))
    finally:
        progress.console.quiet = False
    Console().print(table)
