"""The interface of what runs a sweep's cells, which local processes and Ray share."""

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
    """Starts cells without waiting for them; every method but `stop` returns immediately."""

    @property
    def concurrency(self) -> int | None:
        """The number of cells that run at once; None if unknown."""

    @property
    def description(self) -> str:
        """Where cells run and how many at once, in words."""

    def free_places(self) -> int:
        """Return the number of free places; a cell takes `devices` of them, or all if there are fewer."""

    def start(self, cell: Cell) -> None:
        """Start a cell, or submit it to a cluster."""

    def new_outcomes(self) -> list[Outcome]:
        """Return the outcomes of the cells that ended since the last call."""

    def running_cells(self) -> list[Cell]:
        """Return the cells that run now; a cluster may not have begun all that were started."""

    def last_line(self, cell: Cell) -> str:
        """Return the last line of a cell's output so far, "" if unknown."""

    def stop(self) -> None:
        """End all cells, first by SIGTERM, so that they save their state."""
