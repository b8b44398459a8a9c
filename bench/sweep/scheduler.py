"""The schedule of a sweep: start the cells that fit, settle those that ended, show the state."""

import time
from collections.abc import Callable

from bench.runtime.console import clock
from bench.runtime.locks import held
from bench.sweep.cells import Planned, missing
from bench.sweep.cost_model import Costs, makespan
from bench.sweep.display import Display, State
from bench.sweep.executor import Executor, Outcome

SECONDS_BETWEEN_LOOKS = 0.1
Propose = Callable[[], Planned | None]


class Scheduler:
    """Runs the `waiting` cells of a sweep on an executor; `typical` stands for cells that are not proposed yet."""

    executor: Executor
    at_once: int | None = None  # cells; None: unknown

    def __init__(
        self, title: str, waiting: list[Planned], total: int, recorded: int, costs: Costs, typical: Planned
    ) -> None:
        self.costs, self.typical = costs, typical
        self.waiting = list(waiting)
        self.running: dict[str, Planned] = {}
        self.state = State(title, total, recorded)

    def run(self, executor: Executor, propose: Propose | None = None) -> None:
        """Run all cells, and those that `propose` gives when there is room; an error stops the cells that run."""
        self.executor, self.at_once = executor, executor.at_once
        if self.at_once != 1:
            # the longest first, so that none of them is left alone at the end; unknown ones may be the longest. One by
            # one the end is the same in any order, and the file's order gives a table of the first seed soonest
            self.waiting.sort(key=self.expected_seconds, reverse=True)
        with Display(self.state, self.time_left, executor.last_line) as display:
            try:
                while self.step(display, propose):
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            except BaseException:
                executor.stop()
                raise

    def expected_seconds(self, cell: Planned) -> float:
        cost = self.costs.of(cell.config)
        return cost.seconds if cost else float("inf")

    def step(self, display: Display, propose: Propose | None) -> bool:
        """Settle and start what there is; False when nothing runs or waits any more."""
        for outcome in self.executor.finished():
            self.settle(outcome)
            display.ended(outcome)
        while cell := self.next(propose):
            self.waiting.remove(cell)
            self.running[cell.cell.name] = cell
            self.state.running[cell.cell.name] = time.monotonic()
            self.executor.start(cell.cell)
            display.started(cell.cell)
        display.show(self.executor.running())
        return bool(self.running)

    def settle(self, outcome: Outcome) -> None:
        del self.running[outcome.cell.name]
        del self.state.running[outcome.cell.name]
        if outcome.code:
            self.state.failed.append(outcome)
        else:
            self.state.done += 1
            self.costs.add(outcome.cell.run_id)

    def next(self, propose: Propose | None) -> Planned | None:
        """The first waiting cell, if it fits now; runs that another process works on come last."""
        free = self.executor.free()
        if free and not self.waiting and propose and len(self.running) == len(self.executor.running()):
            self.propose(propose)
        if not free or not self.waiting:
            return None
        free_of_lock = (cell for cell in self.waiting if not held(cell.results, cell.cell.run_id))
        cell = next(free_of_lock, self.waiting[0])
        return cell if cell.cell.devices <= free or not self.running else None

    def propose(self, propose: Propose) -> None:
        """Add one proposed cell that is not recorded yet, if there is another."""
        while cell := propose():
            if missing(cell):
                self.waiting.append(cell)
                return
            self.state.recorded += 1

    def time_left(self) -> str:
        """The time that is left, in words."""
        now = time.monotonic()
        undrawn = [self.typical] * (self.state.waiting - len(self.waiting))
        waiting = [(self.costs.of(cell.config), cell.cell.devices) for cell in [*self.waiting, *undrawn]]
        running = [(self.costs.of(cell.config), cell.cell.devices, now - self.state.running[name])
                   for name, cell in self.running.items()]  # fmt: skip
        at_once = self.at_once or (len(self.executor.running()) if running else 0)
        rest = makespan(
            [(cost.seconds, devices) for cost, devices in waiting if cost],
            [(max(0.0, cost.seconds - since), devices) for cost, devices, since in running if cost],
            max(1, at_once),
        )
        unknown = sum(cost is None for cost, *_ in [*waiting, *running])
        if unknown == len(waiting) + len(running) > 0:
            return f"unknown for {unknown} runs"
        text = f"{clock(rest)} {'left' if at_once else 'one after the other'}"
        return f"{text} and unknown for {unknown} runs" if unknown else text
