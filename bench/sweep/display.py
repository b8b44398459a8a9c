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
    """Where each cell of a sweep is."""

    title: str
    total: int
    recorded: int  # before it began
    done: int = 0
    running: dict[str, float] = field(default_factory=dict)  # cell -> when it was started
    failed: list[Outcome] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return self.total - self.recorded - self.done - len(self.running) - len(self.failed)


class Display:
    """Shows a State for a `with` block. time_left: in words. last_line: of a cell's output."""

    def __init__(self, state: State, time_left: Callable[[], str], last_line: Callable[[Cell], str]) -> None:
        self.state, self.time_left, self.last_line = state, time_left, last_line
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.drawn = 0.0

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def started(self, cell: Cell) -> None:
        if not self.live:
            console.print(f"  started  {cell.name}")

    def ended(self, outcome: Outcome) -> None:
        """Print the outcome; on a terminal it stays above the live lines."""
        took, name = clock(outcome.seconds), outcome.cell.name
        if outcome.code == 0:
            text = f"  done     {name} in {took}"
        else:
            text = f"  [red]failed[/]   {name} after {took}, {ending(outcome.code)}: {escape(cause(outcome))}"
        console.print(f"{text}" if self.live else f"{text}; {self.counts()}")

    def counts(self) -> str:
        state = self.state
        words = [f"{state.done + state.recorded} of {state.total} done", f"{len(state.running)} running"]
        words += [f"{len(state.failed)} failed"] if state.failed else []
        words += [f"{state.waiting} waiting", self.time_left()]
        return ", ".join(words)

    def show(self, running: Sequence[Cell]) -> None:
        """Draw the live view, a few times a second at most."""
        now = time.monotonic()
        if self.live and now - self.drawn > SECONDS_BETWEEN_FRAMES:
            self.live.update(self.frame(running, now), refresh=True)
            self.drawn = now

    def frame(self, running: Sequence[Cell], now: float) -> Group:
        state = self.state
        head = Table.grid(padding=(0, 1))
        head.add_row(Text(state.title, style="bold"), ProgressBar(state.total, state.recorded + state.done, width=28))
        lines = [Text(f"  {self.counts()}")]
        for cell in running:
            took = clock(now - state.running[cell.name])
            line = Text(f"  {cell.name}  {took}  ", no_wrap=True, overflow="ellipsis")
            lines.append(line.append(" ".join(self.last_line(cell).split()), style="dim"))
        return Group(head, *lines)


def ending(code: int) -> str:
    """An exit status in words."""
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def cause(outcome: Outcome) -> str:
    """The last line of a cell's log."""
    return "".join(last_lines(outcome.log, 1)) or "no output"


def show_failure(outcome: Outcome, lines: int = 5) -> None:
    console.print(f"[red]{outcome.cell.name}[/]: {ending(outcome.code)}; {outcome.log}")
    for line in last_lines(outcome.log, lines):
        console.print(f"    {line}", style="dim", markup=False)
