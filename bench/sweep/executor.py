"""What runs the cells of a sweep: the interface that local processes and Ray share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Cell:
    """One `bench train` of a sweep."""

    name: str  # the run_id of its config, numbered where several cells evaluate one run; names its log
    words: tuple[str, ...]  # the key=value arguments of `bench train`, results= among them
    run_id: str
    devices: int  # processes it trains on (trainer.devices)


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    cell: Cell
    code: int  # exit status; negative: the signal that killed it
    seconds: float
    log: Path


class Executor(Protocol):
    """Starts cells without waiting for them; every method returns at once but `stop`."""

    @property
    def at_once(self) -> int | None:
        """How many cells run at once; None where that is not known."""

    @property
    def description(self) -> str:
        """Where cells run and how many at once, in words."""

    def free(self) -> int:
        """Places for cells that may be started now; a cell takes `devices` of them, or all where there are fewer."""

    def start(self, cell: Cell) -> None: ...

    def finished(self) -> list[Outcome]:
        """The cells that ended since the last call."""

    def running(self) -> list[Cell]:
        """The cells at work; a cluster may hold others back."""

    def last_line(self, cell: Cell) -> str:
        """The last line of a cell's output so far, "" if unknown."""

    def stop(self) -> None:
        """End all cells: first with SIGTERM, so that they save their state."""
