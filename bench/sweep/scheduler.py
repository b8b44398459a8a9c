"""Schedule a sweep: start the cells that fit, settle those that ended, show the state."""

import time
from collections.abc import Callable

from bench.runtime.console import clock
from bench.runtime.locks import is_held
from bench.sweep.cells import PlannedCell, missing_steps
from bench.sweep.cost_model import Costs, makespan
from bench.sweep.display import Display, State
from bench.sweep.executor import Executor, Outcome

SECONDS_BETWEEN_LOOKS = 0.1
Propose = Callable[[], PlannedCell | None]


class Scheduler:
    """Runs the cells of a `queue` on an executor; `typical` stands for cells that are not proposed yet."""

    executor: Executor
    concurrency: int | None = None  # cells that run at once; None: unknown

    def __init__(
        self, title: str, queue: list[PlannedCell], total: int, recorded: int, costs: Costs, typical: PlannedCell
    ) -> None:
        self.costs, self.typical = costs, typical
        self.queue = list(queue)
        self.running_cells: dict[str, PlannedCell] = {}
        self.state = State(title, total, recorded)

    def run(self, executor: Executor, propose: Propose | None = None) -> None:
        """Run all cells, and those that `propose` returns when there is room; an error stops the cells that run."""
        self.executor, self.concurrency = executor, executor.concurrency
        if self.concurrency != 1:
            # The longest first, so that none of them is left alone at the end; unknown ones may be the longest. One by
            # one the end is the same in any order, and the file's order gives a table of the first seed soonest.
            self.queue.sort(key=self.expected_seconds, reverse=True)
        with Display(self.state, self.time_left, executor.last_line) as display:
            try:
                while self.step(display, propose):
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            except BaseException:
                executor.stop()
                raise

    def expected_seconds(self, cell: PlannedCell) -> float:
        """Return the estimate for a cell, infinity if there is none."""
        cost = self.costs.estimate(cell.config)
        return cost.seconds if cost else float("inf")

    def step(self, display: Display, propose: Propose | None) -> bool:
        """Settle the cells that ended and start those that fit; return False once none runs or waits."""
        for outcome in self.executor.new_outcomes():
            self.settle(outcome)
            display.report_end(outcome)
        while cell := self.next(propose):
            self.queue.remove(cell)
            self.running_cells[cell.cell.name] = cell
            self.state.running[cell.cell.name] = time.monotonic()
            self.executor.start(cell.cell)
            display.report_start(cell.cell)
        display.show(self.executor.running_cells())
        return bool(self.running_cells)

    def settle(self, outcome: Outcome) -> None:
        """Count a cell that ended as done or failed."""
        del self.running_cells[outcome.cell.name]
        del self.state.running[outcome.cell.name]
        if outcome.code:
            self.state.failed.append(outcome)
        else:
            self.state.done += 1
            self.costs.add(outcome.cell.run_id)

    def next(self, propose: Propose | None) -> PlannedCell | None:
        """Return the first cell of the queue if it fits now; runs that another process works on come last."""
        places = self.executor.free_places()
        if places and not self.queue and propose and len(self.running_cells) == len(self.executor.running_cells()):
            self.add_proposal(propose)
        if not places or not self.queue:
            return None
        unlocked_cells = (cell for cell in self.queue if not is_held(cell.results, cell.cell.run_id))
        cell = next(unlocked_cells, self.queue[0])
        return cell if cell.cell.devices <= places or not self.running_cells else None

    def add_proposal(self, propose: Propose) -> None:
        """Add the next proposed cell that is not recorded yet to the queue, if there is one."""
        while cell := propose():
            if missing_steps(cell):
                self.queue.append(cell)
                return
            self.state.recorded += 1

    def time_left(self) -> str:
        """Return the estimated time to the end of the sweep, in words."""
        now = time.monotonic()
        future_cells = [self.typical] * (self.state.waiting - len(self.queue))
        waiting = [(self.costs.estimate(cell.config), cell.cell.devices) for cell in [*self.queue, *future_cells]]
        running = [
            (self.costs.estimate(cell.config), cell.cell.devices, now - self.state.running[name])
            for name, cell in self.running_cells.items()
        ]
        concurrency = self.concurrency or (len(self.executor.running_cells()) if running else 0)
        seconds = makespan(
            [(cost.seconds, devices) for cost, devices in waiting if cost],
            [(max(0.0, cost.seconds - age), devices) for cost, devices, age in running if cost],
            max(1, concurrency),
        )
        unknown = sum(cost is None for cost, *_ in [*waiting, *running])
        if unknown == len(waiting) + len(running) > 0:
            return f"unknown for {unknown} runs"
        text = f"{clock(seconds)} {'left' if concurrency else 'one after the other'}"
        return f"{text} and unknown for {unknown} runs" if unknown else text
