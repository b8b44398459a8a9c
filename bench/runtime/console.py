"""Show progress with the time left: live bars on a terminal or in a notebook, occasional lines in a file."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bench.runtime.notebook import Cell

IN_NOTEBOOK = Console().is_jupyter
# in a notebook plain lines: no box for each, and no control characters, which its environment asks programs for
console = Console(
    stderr=not IN_NOTEBOOK, highlight=False, soft_wrap=True, force_jupyter=False,
    force_terminal=False if IN_NOTEBOOK else None,
)  # fmt: skip
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1
watcher: "Callable[[Bar], None] | None" = None  # called with every bar whenever it advances


class Bar:
    """One part of the work, of `total` units, shown for a `with` block; `advance` costs microseconds.

    done: units done before, of a run that resumes.
    """

    def __init__(self, description: str, total: int, unit: str, done: int = 0) -> None:
        self.description, self.total, self.unit, self.done = description, total, unit, done
        self.initial = done
        self.live: Progress | None = None
        self.cell: Cell | None = None
        self.curves: dict[str, list[float]] = {}  # for the watcher to draw

    def __enter__(self) -> "Bar":
        self.start_time = self.line_time = self.frame_time = self.now = time.monotonic()
        if console.is_terminal:
            self.live = Progress(
                TextColumn("{task.description:<34}"), BarColumn(28), TaskProgressColumn(), MofNCompleteColumn(),
                TextColumn(self.unit), TimeRemainingColumn(), TextColumn("left"), TextColumn("{task.fields[note]}"),
                console=console, transient=True,
            )  # fmt: skip
            self.task = self.live.add_task(self.description, total=self.total, completed=self.done, note="")
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()
        if kind is None and self.done > self.initial:
            self.now = time.monotonic()
            line = f"  {self.description:<34} {self.done - self.initial:>9,} {self.unit} in {clock(self.seconds)}"
            if self.cell:
                self.cell.end(line)
            else:
                console.print(line)

    @property
    def seconds(self) -> float:
        """The seconds spent so far, as of the last update."""
        return self.now - self.start_time

    @property
    def left(self) -> float | None:
        """The seconds to the end at the rate so far; None before any unit is done."""
        done = self.done - self.initial
        return (self.total - self.done) * self.seconds / done if done else None

    def advance(self, units: int = 1, note: Callable[[], str] = str) -> None:
        """Count `units` as done; `note()`, a word about the work, is called only when the bar is redrawn."""
        self.done += units
        self.now = now = time.monotonic()
        if watcher:
            watcher(self)
        if self.live:
            if now - self.frame_time > SECONDS_BETWEEN_FRAMES:
                self.live.update(self.task, total=self.total, completed=min(self.done, self.total), note=note())
                self.frame_time = now
        elif IN_NOTEBOOK:
            if self.cell is None or now - self.frame_time > SECONDS_BETWEEN_FRAMES:
                self.cell = self.cell or Cell()
                self.cell.show(self.done / self.total, self.state(note()))
                self.frame_time = now
        elif now - self.line_time > SECONDS_BETWEEN_LINES:
            console.print(self.state(note()))
            sys.stderr.flush()
            self.line_time = now

    def state(self, note: str) -> str:
        """Return what is done, the rate, the time left and a note as one line."""
        rate = (self.done - self.initial) / self.seconds if self.seconds else 0.0
        return (
            f"  {self.description:<34} {self.done / self.total:>4.0%}  {self.done:,} of {self.total:,} {self.unit}"
            f"  {rate:,.0f}/s  {clock(self.left or 0)} left  {note}".rstrip()
        )


def clock(seconds: float) -> str:
    """Format seconds as m:ss, or as h:mm:ss from an hour on."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
