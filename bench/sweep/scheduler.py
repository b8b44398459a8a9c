"""The sweep's loop: start what fits, settle what has ended, show how it stands."""

import time
from collections.abc import Callable
from pathlib import Path

from bench.locks import held
from bench.progress import clock
from bench.sweep.cells import Planned, complete
from bench.sweep.cost_model import Costs, makespan
from bench.sweep.display import State, View
from bench.sweep.executor import Executor, Outcome

SECONDS_BETWEEN_LOOKS = 0.1
Propose = Callable[[], Planned | None]


class Loop:
    """Runs planned cells on an executor; for a sweep of `total` that proposes its cells, `typical` is like them."""

    executor: Executor
    places: int | None = None  # cells that run at once; None: unknown

    def __init__(
        self, title: str, missing: list[Planned], total: int, recorded: int, costs: Costs, typical: Planned
    ) -> None:
        self.costs, self.typical = costs, typical
        self.waiting = list(missing)
        self.running: dict[str, Planned] = {}
        self.state = State(title, total, recorded)

    def expected(self, one: Planned, unknown: float) -> float:
        known = self.costs.of(one.config)
        return known.seconds if known else unknown

    def run(self, executor: Executor, propose: Propose | None = None) -> None:
        """Run all, and what `propose` gives when there is room; its cells are stopped before an error is raised on."""
        self.executor = executor
        if self.places != 1:
            # the longest first, so that none of them is left alone at the end; what nobody knows may be longest. One by
            # one the end is the same in any order, and the file's order gives a table of the first seed soonest
            self.waiting.sort(key=lambda one: -self.expected(one, unknown=float("inf")))
        with View(self.state, self.left, executor.said) as view:
            try:
                while self.step(view, propose):
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            except BaseException:
                executor.stop()
                raise

    def step(self, view: View, propose: Propose | None) -> bool:
        """One look at everything; False when nothing runs or waits any more."""
        for outcome in self.executor.finished():
            self.settle(outcome)
            view.ended(outcome)
        while one := self.next(propose):
            self.waiting.remove(one)
            self.running[one.cell.name] = one
            self.state.running[one.cell.name] = time.monotonic()
            self.executor.start(one.cell)
            view.started(one.cell)
        view.show(self.executor.running())
        return bool(self.running)

    def settle(self, outcome: Outcome) -> None:
        one = self.running.pop(outcome.cell.name)
        del self.state.running[outcome.cell.name]
        if outcome.code:
            self.state.failed.append(outcome)
        else:
            self.state.done += 1
            self.costs.add(one.cell.run_ids[0])

    def next(self, propose: Propose | None) -> Planned | None:
        """The first waiting cell, if it fits now; those that another process is at work on come last."""
        free = self.executor.free()
        if free and not self.waiting and propose and len(self.running) == len(self.executor.running()):
            self.propose(propose)
        if not free or not self.waiting:
            return None
        one = next((one for one in self.waiting if not taken(one)), self.waiting[0])
        return one if one.cell.devices <= free or not self.running else None

    def propose(self, propose: Propose) -> None:
        """Add one proposed cell that is not recorded yet, if there is another."""
        while one := propose():
            if not complete(one):
                self.waiting.append(one)
                return
            self.state.recorded += 1

    def left(self) -> str:
        """The time that is left, in words."""
        now = time.monotonic()
        undrawn = [self.typical] * (self.state.waiting - len(self.waiting))
        waiting = [(self.costs.of(one.config), one.cell.devices) for one in [*self.waiting, *undrawn]]
        running = [(self.costs.of(one.config), one.cell.devices, now - self.state.running[name])
                   for name, one in self.running.items()]  # fmt: skip
        at_once = self.places or (len(self.executor.running()) if running else 0)
        rest = makespan(
            [(known.seconds, wide) for known, wide in waiting if known],
            [(max(0.0, known.seconds - since), wide) for known, wide, since in running if known],
            max(1, at_once),
        )
        unknown = sum(known is None for known, *_ in [*waiting, *running])
        if unknown == len(waiting) + len(running) > 0:
            return f"unknown for {unknown} runs"
        told = f"{clock(rest)} {'left' if at_once else 'one after the other'}"
        return f"{told} and unknown for {unknown} runs" if unknown else told


def taken(one: Planned) -> bool:
    """Whether another process is at work on the run."""
    return any(held(Path(one.config.results), run_id) for run_id in one.cell.run_ids)
