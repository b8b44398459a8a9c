"""What runs the cells of a sweep: the interface that local processes and Ray share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Cell:
    """One `bench train` of a sweep."""

    name: str  # the run_id of its config; names its log
    words: tuple[str, ...]  # what `bench train` is told, key=value, results= among them
    run_ids: tuple[str, ...]
    devices: int  # processes it trains on (trainer.devices)


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    cell: Cell
    code: int  # exit status; negative: the signal that killed it
    seconds: float
    log: Path  # all that it said: results/sweeps/logs/NAME.log


class Executor(Protocol):
    """Starts cells without waiting for them; every method returns at once but `stop`."""

    def free(self) -> int:
        """Places for cells that may be started now; a cell takes `devices` of them, or all where there are fewer."""

    def start(self, cell: Cell) -> None: ...

    def finished(self) -> list[Outcome]:
        """Those that ended since it was last asked."""

    def running(self) -> list[Cell]:
        """Those that are really running: a cluster may hold others back."""

    def said(self, cell: Cell) -> str:
        """Its last line so far, "" if unknown."""

    def stop(self) -> None:
        """End all that runs: first with SIGINT, so that it is saved."""
