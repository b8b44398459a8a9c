"""What a training depends on beside its run_id: kept in each checkpoint, and compared before resuming."""

from pathlib import Path
from typing import Any

import lightning as L
import torch

from bench.config.components import running_code
from bench.config.devices import sampling_device
from bench.config.schema import Config, ConfigError
from bench.runtime.console import console
from bench.runtime.provenance import library_versions
from bench.runtime.threads import set_threads
from datamodules.base import ImageDataModule

Stretch = dict[str, Any]  # a part of the training on the same code, libraries, device, processes and threads


class Origin(L.Callback):
    """Keep in every checkpoint what the training ran on; after a resume, this is the history of the whole training.

    The images and the precision, which determine the weights, must stay the same: `check_origin`. Code, libraries, kind
    of device, number of processes and of threads may change on a resume, and each change begins a stretch.

    Attributes:
        data: sha256 of the training images.
        precision: Lightning's name of it, never 'auto'.
        stretches: in order, the last one is the current; each with the "images_seen" at which it began.
    """

    def __init__(self, config: Config, data: ImageDataModule, precision: str) -> None:
        self.data, self.precision = data.digest("train"), precision
        device, processes = sampling_device(config).type, config.trainer.devices * config.trainer.num_nodes
        self.stretches: list[Stretch] = [
            {
                "code": running_code(config, ("model", "data")),
                "libraries": library_versions(),
                "device": device,
                "processes": processes,
                "threads": torch.get_num_threads() if (device, processes) == ("cpu", 1) else None,
            }
        ]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.stretches[-1].setdefault("images_seen", pl_module.images_seen)

    def state_dict(self) -> dict[str, Any]:
        return {"data": self.data, "precision": self.precision, "stretches": self.stretches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        *earlier, last = state_dict["stretches"]
        now = self.stretches[-1]
        self.stretches = [*earlier, last] if not changes(last, now) else [*earlier, last, now]

    @property
    def code(self) -> dict[str, Any]:
        """The code of the last stretch, and under "earlier" the stretches before it, if there are any."""
        *earlier, last = self.stretches
        return {**last["code"], **({"earlier": earlier} if earlier else {})}


def read_origin(checkpoint: Path) -> dict[str, Any] | None:
    """Return the state of `Origin` in a checkpoint; None in checkpoints of versions without it."""
    callbacks = torch.load(checkpoint, map_location="cpu", weights_only=True)["callbacks"]
    state: dict[str, Any] | None = callbacks.get(Origin.__name__)
    return state


def check_origin(checkpoint: Path, origin: Origin, data_name: str) -> None:
    """Raise ConfigError unless the checkpoint's training had the same images and the same precision as `origin`."""
    anew = f"delete {checkpoint.parent} or choose another results=DIR to train from the start"
    state = read_origin(checkpoint)
    if state is None:
        raise ConfigError(f"{checkpoint}: does not state the images and the precision of its training; {anew}")
    if state["data"] != origin.data:
        raise ConfigError(
            f"{checkpoint}: was trained on other images (sha256 {state['data'][:8]}) than data={data_name} has now "
            f"({origin.data[:8]}); set data.root to those images to resume, or {anew}"
        )
    if state["precision"] != origin.precision:
        raise ConfigError(
            f"{checkpoint}: was trained in {state['precision']}, but trainer.precision is {origin.precision} here; "
            f"resume on a machine where it is {state['precision']}, or {anew}"
        )


def take_up_threads(checkpoint: Path) -> None:
    """Compute on as many threads as the checkpoint's training did: the order in which sums are added depends on it."""
    state = read_origin(checkpoint)
    if state and (threads := state["stretches"][-1].get("threads")):
        set_threads(threads)


def announce(checkpoint: Path, origin: Origin, budget: int) -> None:
    """Print where a training resumes, and what has changed since."""
    state = read_origin(checkpoint)
    assert state is not None
    console.print(f"  resumes from {int(checkpoint.stem):,} of {budget:,} images: {checkpoint}")
    for change in changes(state["stretches"][-1], origin.stretches[-1]):
        console.print(f"  [yellow]resumes under {change}; the record names both[/]")


def changes(before: Stretch, now: Stretch) -> list[str]:
    """Return a phrase for each difference between two stretches, except in images_seen."""
    phrases = []
    if before["code"] != now["code"]:
        phrases.append(f"other code: {_code(before['code'])}, now {_code(now['code'])}")
    old, new = before["libraries"], now["libraries"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            phrases.append(f"another {name}: {old.get(name, 'none')}, now {new.get(name, 'none')}")
    for name, words in (
        ("device", "another kind of device"),
        ("processes", "another number of processes"),
        ("threads", "another number of threads"),
    ):
        if before.get(name) != now[name]:
            phrases.append(f"{words}: {before.get(name, 'unknown')}, now {now[name]}")
    return phrases


def _code(code: dict[str, Any]) -> str:
    """Return the commit, and for changed or unknown sources a part of their digest."""
    sources = f" with sources {code['sources'][:8]}" if "sources" in code else ""
    return f"{code['commit'][:12]}{sources}"
