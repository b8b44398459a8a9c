"""How a sweep stands: a live view on a terminal, a line for each event where the output goes to a file."""

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

from bench.progress import clock, console
from bench.sweep.executor import Cell, Outcome
from bench.sweep.local import last_lines

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


class View:
    """Shows a State from `with` to its end; `left` says the time left in words."""

    def __init__(self, state: State, left: Callable[[], str], said: Callable[[Cell], str]) -> None:
        self.state, self.left, self.said = state, left, said
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.drawn = 0.0

    def __enter__(self) -> "View":
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
        """Said on a terminal too: it stays above the live lines."""
        took, name = clock(outcome.seconds), outcome.cell.name
        if outcome.code == 0:
            text = f"  done     {name} in {took}"
        else:
            text = f"  [red]failed[/]   {name} after {took}, {ending(outcome.code)}: {escape(cause(outcome))}"
        console.print(f"{text}" if self.live else f"{text}; {self.counts()}")

    def counts(self) -> str:
        one = self.state
        words = [f"{one.done + one.recorded} of {one.total} done", f"{len(one.running)} running"]
        words += [f"{len(one.failed)} failed"] if one.failed else []
        words += [f"{one.waiting} waiting", self.left()]
        return ", ".join(words)

    def show(self, running: Sequence[Cell]) -> None:
        """Draw the live view, a few times a second at most."""
        now = time.monotonic()
        if self.live and now - self.drawn > SECONDS_BETWEEN_FRAMES:
            self.live.update(self.frame(running, now), refresh=True)
            self.drawn = now

    def frame(self, running: Sequence[Cell], now: float) -> Group:
        one = self.state
        head = Table.grid(padding=(0, 1))
        head.add_row(Text(one.title, style="bold"), ProgressBar(one.total, one.recorded + one.done, width=28))
        lines = [Text(f"  {self.counts()}")]
        for cell in running:
            line = Text(f"  {cell.name}  {clock(now - one.running[cell.name])}  ", no_wrap=True, overflow="ellipsis")
            lines.append(line.append(" ".join(self.said(cell).split()), style="dim"))
        return Group(head, *lines)


def ending(code: int) -> str:
    """An exit status in words."""
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def cause(outcome: Outcome) -> str:
    """The last line that a cell said."""
    return "".join(last_lines(outcome.log, 1)) or "it said nothing"


def show_failure(outcome: Outcome, lines: int = 5) -> None:
    console.print(f"[red]{outcome.cell.name}[/]: {ending(outcome.code)}; {outcome.log}")
    for line in last_lines(outcome.log, lines):
        console.print(f"    {line}", style="dim", markup=False)
