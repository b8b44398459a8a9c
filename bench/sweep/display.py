"""The state of a sweep: a live view on a terminal, a line for each event where the output goes to a file."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.runtime.console import clock, console
from bench.sweep.executor import Cell, Outcome
from bench.sweep.logs import last_lines

SECONDS_BETWEEN_FRAMES = 0.5


@dataclass
class State:
    """The number of cells in each state, with the start of those that run and the outcome of those that failed."""

    title: str
    total: int
    recorded: int  # before the sweep began
    done: int = 0
    running: dict[str, float] = field(default_factory=dict)  # cell -> when it was started
    failed: list[Outcome] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """The number of cells that are not started yet."""
        return self.total - self.recorded - self.done - len(self.running) - len(self.failed)


class Display:
    """Shows a State for a `with` block. time_left: in words. last_line: of a cell's output."""

    def __init__(self, state: State, time_left: Callable[[], str], last_line: Callable[[Cell], str]) -> None:
        self.state, self.time_left, self.last_line = state, time_left, last_line
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.last_frame_time = 0.0

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def report_start(self, cell: Cell) -> None:
        """Print that a cell was started, unless the live view shows it."""
        if not self.live:
            console.print(f"  started  {cell.name}")

    def report_end(self, outcome: Outcome) -> None:
        """Print the outcome of a cell; on a terminal it stays above the live lines."""
        duration, name = clock(outcome.seconds), outcome.cell.name
        if outcome.code == 0:
            text = f"  done     {name} in {duration}"
        else:
            reason = f"{describe_exit(outcome.code)}: {escape(cause(outcome))}"
            text = f"  [red]failed[/]   {name} after {duration}, {reason}"
        console.print(f"{text}" if self.live else f"{text}; {self.counts()}")

    def counts(self) -> str:
        """Return the number of cells in each state and the time left, in words."""
        state = self.state
        words = [f"{state.done + state.recorded} of {state.total} done", f"{len(state.running)} running"]
        words += [f"{len(state.failed)} failed"] if state.failed else []
        words += [f"{state.waiting} waiting", self.time_left()]
        return ", ".join(words)

    def show(self, cells: Sequence[Cell]) -> None:
        """Draw the live view of the running cells, a few times a second at most."""
        now = time.monotonic()
        if self.live and now - self.last_frame_time > SECONDS_BETWEEN_FRAMES:
            self.live.update(self.frame(cells, now), refresh=True)
            self.last_frame_time = now

    def frame(self, cells: Sequence[Cell], now: float) -> Group:
        """Return the live view: a bar, the counts, and the last line of each running cell."""
        state = self.state
        head = Table.grid(padding=(0, 1))
        head.add_row(Text(state.title, style="bold"), ProgressBar(state.total, state.recorded + state.done, width=28))
        lines = [Text(f"  {self.counts()}")]
        for cell in cells:
            duration = clock(now - state.running[cell.name])
            line = Text(f"  {cell.name}  {duration}  ", no_wrap=True, overflow="ellipsis")
            lines.append(line.append(" ".join(self.last_line(cell).split()), style="dim"))
        return Group(head, *lines)


def describe_exit(code: int) -> str:
    """Return an exit status in words."""
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def cause(outcome: Outcome) -> str:
    """Return the last line of a cell's log."""
    return "".join(last_lines(outcome.log, 1)) or "no output"


def show_failure(outcome: Outcome, lines: int = 5) -> None:
    """Print a failed cell, its exit status, its log's path and the last lines of the log."""
    console.print(f"[red]{outcome.cell.name}[/]: {describe_exit(outcome.code)}; {outcome.log}")
    for line in last_lines(outcome.log, lines):
        console.print(f"    {line}", style="dim", markup=False)
