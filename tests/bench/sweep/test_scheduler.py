"""The queue of a sweep, on an executor that only pretends."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.sweep import scheduler as module
from bench.sweep.cells import PlannedCell
from bench.sweep.cost_model import Cost
from bench.sweep.executor import Cell, Outcome
from bench.sweep.scheduler import Scheduler


class FakeExecutor:
    """Ends the cell that was started first whenever outcomes are asked for, and records the events."""

    description = ""

    def __init__(
        self,
        places: int,
        exit_status: Callable[[str], int] = lambda name: 0,
        held_back: int = 0,
        concurrency: int | None = None,
    ) -> None:
        self.places, self.exit_status, self.held_back, self.concurrency = places, exit_status, held_back, concurrency
        self.cells: list[Cell] = []
        self.events: list[str] = []

    def free_places(self) -> int:
        return self.places - sum(min(cell.devices, self.places) for cell in self.cells)

    def start(self, cell: Cell) -> None:
        assert cell.devices <= self.free_places() or not self.cells
        self.cells.append(cell)
        self.events.append(f"+{cell.name}")

    def new_outcomes(self) -> list[Outcome]:
        if not self.cells or (self.free_places() and not self.events[-1].startswith("+")):
            return []
        cell = self.cells.pop(0)
        self.events.append(f"-{cell.name}")
        return [Outcome(cell, self.exit_status(cell.name), 1.0, Path("log"))]

    def running_cells(self) -> list[Cell]:
        return self.cells[: len(self.cells) - self.held_back]

    def last_line(self, cell: Cell) -> str:
        return ""

    def stop(self) -> None:
        self.events.append("stop")


def planned(name: str, devices: int = 1) -> PlannedCell:
    config: Any = SimpleNamespace(results="r", name=name)
    return PlannedCell(Cell(name, (), name, devices), config)


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scheduler]:
    """Builds a scheduler from the estimated seconds of cells by name; None: no estimate."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr(
        module, "missing_steps", lambda cell: [] if cell.cell.name.startswith("recorded") else ["training"]
    )
    monkeypatch.setattr(module, "is_held", lambda results, run_id: run_id.startswith("held"))

    def scheduler(cells: dict[str, float | None], total: int | None = None, **devices: int) -> Scheduler:
        costs: Any = SimpleNamespace(
            estimate=lambda config: Cost(seconds, ()) if (seconds := cells.get(config.name)) is not None else None,
            add=lambda run_id: None,
        )
        queue = [planned(name, devices.get(name, 1)) for name in cells]
        return Scheduler("s", queue, len(queue) if total is None else total, 0, costs, planned("typical"))

    return scheduler


def starts(executor: FakeExecutor) -> list[str]:
    return [word[1:] for word in executor.events if word.startswith("+")]


def test_the_longest_start_first_and_before_them_those_that_nobody_knows(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(1)
    build({"b": 5, "a": 1, "d": None, "c": 9}).run(executor)
    assert starts(executor) == ["d", "c", "b", "a"]
    assert executor.events.index("-d") < executor.events.index("+c"), "one place"


def test_one_by_one_they_start_in_the_files_order(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(1, concurrency=1)
    build({"b": 5, "a": 1, "d": None, "c": 9}).run(executor)
    assert starts(executor) == ["b", "a", "d", "c"]


def test_what_another_process_is_at_work_on_comes_last_but_it_comes(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(1)
    build({"held-1": 9, "a": 2, "held-2": 5, "b": 1}).run(executor)
    assert starts(executor) == ["a", "b", "held-1", "held-2"]


def test_a_wide_cell_waits_for_its_places_and_one_too_wide_for_all_of_them(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(2)
    build({"a": 9, "wide": 5, "c": 2, "widest": 1}, wide=2, widest=8).run(executor)
    assert starts(executor) == ["a", "wide", "c", "widest"]
    order = executor.events
    assert order.index("-a") < order.index("+wide")
    assert order.index("-wide") < order.index("+c")
    assert order.index("-c") < order.index("+widest")


def test_a_failed_cell_is_counted_and_the_others_go_on(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(1, exit_status=lambda name: 2 * (name == "b"))
    scheduler = build({"a": 3, "b": 2, "c": 1})
    scheduler.run(executor)
    assert starts(executor) == ["a", "b", "c"]
    assert [outcome.cell.name for outcome in scheduler.state.failed] == ["b"]
    assert (scheduler.state.done, scheduler.state.waiting, scheduler.state.running) == (2, 0, {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_error_stops_what_runs_before_it_is_raised_on(
    error: type[BaseException], build: Callable[..., Scheduler]
) -> None:
    executor = FakeExecutor(1)

    def fail(cell: Cell) -> None:
        raise error

    executor.start = fail  # type: ignore[method-assign]
    with pytest.raises(error):
        build({"a": 1}).run(executor)
    assert executor.events == ["stop"]


def test_proposals_are_asked_for_when_there_is_room_and_recorded_ones_are_not_run(
    build: Callable[..., Scheduler],
) -> None:
    """A proposal uses the figures of all cells that ended, so it is asked for only when a place is free."""
    executor = FakeExecutor(1)
    names = iter(["x", "recorded-1", "y"])
    ended: list[int] = []

    def propose() -> PlannedCell | None:
        ended.append(sum(word.startswith("-") for word in executor.events))
        name = next(names, None)
        return planned(name) if name else None

    scheduler = build({"a": 1}, total=4)
    scheduler.run(executor, propose)
    assert starts(executor) == ["a", "x", "y"]
    assert ended[:3] == [1, 2, 2], "a, then x had ended"
    assert (scheduler.state.recorded, scheduler.state.done, scheduler.state.waiting) == (1, 3, 0)


def test_nothing_is_proposed_while_a_cluster_holds_cells_back(build: Callable[..., Scheduler]) -> None:
    executor = FakeExecutor(99, held_back=1)
    names = iter("xyz")
    scheduler = build({"a": 1}, total=4)
    scheduler.executor = executor
    scheduler.running_cells = {"a": planned("a")}
    scheduler.queue = []
    executor.cells = [planned("a").cell]
    assert scheduler.next(lambda: planned(next(names))) is None
    executor.held_back = 0
    assert (scheduler.next(lambda: planned(next(names))) or planned("none")).cell.name == "x"


def test_the_time_left_is_of_the_queue_and_what_is_not_known_is_said(build: Callable[..., Scheduler]) -> None:
    scheduler = build({"a": 60, "b": 30, "c": 30})
    assert scheduler.time_left() == "2:00 one after the other", "nobody knows how many a cluster takes"
    scheduler.concurrency = 2
    assert scheduler.time_left() == "1:00 left"
    scheduler = build({"a": 60, "b": None})
    scheduler.concurrency = 1
    assert scheduler.time_left() == "1:00 left and unknown for 1 runs"
    assert build({"a": None, "b": None}).time_left() == "unknown for 2 runs"
    undrawn = build({"typical": 10, "a": 5}, total=4)
    undrawn.concurrency = 1
    assert undrawn.time_left() == "0:35 left", "two more like the typical one"
