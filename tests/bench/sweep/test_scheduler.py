"""The queue of a sweep, on an executor that only pretends."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.sweep import scheduler as module
from bench.sweep.cells import Planned
from bench.sweep.cost_model import Cost
from bench.sweep.executor import Cell, Outcome
from bench.sweep.scheduler import Scheduler


class Pretended:
    """Ends the cell that was started first whenever it is asked; notes what it is told."""

    description = ""

    def __init__(
        self, places: int, ends: Callable[[str], int] = lambda name: 0, held_back: int = 0, at_once: int | None = None
    ) -> None:
        self.places, self.ends, self.held_back, self.at_once = places, ends, held_back, at_once
        self.cells: list[Cell] = []
        self.told: list[str] = []

    def free(self) -> int:
        return self.places - sum(min(cell.devices, self.places) for cell in self.cells)

    def start(self, cell: Cell) -> None:
        assert cell.devices <= self.free() or not self.cells
        self.cells.append(cell)
        self.told.append(f"+{cell.name}")

    def finished(self) -> list[Outcome]:
        if not self.cells or (self.free() and not self.told[-1].startswith("+")):
            return []
        cell = self.cells.pop(0)
        self.told.append(f"-{cell.name}")
        return [Outcome(cell, self.ends(cell.name), 1.0, Path("log"))]

    def running(self) -> list[Cell]:
        return self.cells[: len(self.cells) - self.held_back]

    def last_line(self, cell: Cell) -> str:
        return ""

    def stop(self) -> None:
        self.told.append("stop")


def planned(name: str, devices: int = 1) -> Planned:
    config: Any = SimpleNamespace(results="r", name=name)
    return Planned(Cell(name, (), name, devices), config)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scheduler]:
    """A loop over cells by name -> seconds that they are expected to take, None for those of which nothing is known."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr(module, "missing", lambda cell: [] if cell.cell.name.startswith("recorded") else ["training"])
    monkeypatch.setattr(module, "held", lambda results, run_id: run_id.startswith("held"))

    def make(cells: dict[str, float | None], total: int | None = None, **devices: int) -> Scheduler:
        costs: Any = SimpleNamespace(
            of=lambda config: Cost(seconds, ()) if (seconds := cells.get(config.name)) is not None else None,
            add=lambda run_id: None,
        )
        missing = [planned(name, devices.get(name, 1)) for name in cells]
        return Scheduler("s", missing, len(missing) if total is None else total, 0, costs, planned("typical"))

    return make


def starts(executor: Pretended) -> list[str]:
    return [word[1:] for word in executor.told if word.startswith("+")]


def test_the_longest_start_first_and_before_them_those_that_nobody_knows(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(1)
    made({"b": 5, "a": 1, "d": None, "c": 9}).run(executor)
    assert starts(executor) == ["d", "c", "b", "a"]
    assert executor.told.index("-d") < executor.told.index("+c"), "one place"


def test_one_by_one_they_start_in_the_files_order(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(1, at_once=1)
    made({"b": 5, "a": 1, "d": None, "c": 9}).run(executor)
    assert starts(executor) == ["b", "a", "d", "c"]


def test_what_another_process_is_at_work_on_comes_last_but_it_comes(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(1)
    made({"held-1": 9, "a": 2, "held-2": 5, "b": 1}).run(executor)
    assert starts(executor) == ["a", "b", "held-1", "held-2"]


def test_a_wide_cell_waits_for_its_places_and_one_too_wide_for_all_of_them(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(2)
    made({"a": 9, "wide": 5, "c": 2, "widest": 1}, wide=2, widest=8).run(executor)
    assert starts(executor) == ["a", "wide", "c", "widest"]
    order = executor.told
    assert order.index("-a") < order.index("+wide")
    assert order.index("-wide") < order.index("+c")
    assert order.index("-c") < order.index("+widest")


def test_a_failed_cell_is_counted_and_the_others_go_on(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(1, ends=lambda name: 2 * (name == "b"))
    one = made({"a": 3, "b": 2, "c": 1})
    one.run(executor)
    assert starts(executor) == ["a", "b", "c"]
    assert [outcome.cell.name for outcome in one.state.failed] == ["b"]
    assert (one.state.done, one.state.waiting, one.state.running) == (2, 0, {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_error_stops_what_runs_before_it_is_raised_on(
    error: type[BaseException], made: Callable[..., Scheduler]
) -> None:
    executor = Pretended(1)

    def fail(cell: Cell) -> None:
        raise error

    executor.start = fail  # type: ignore[method-assign]
    with pytest.raises(error):
        made({"a": 1}).run(executor)
    assert executor.told == ["stop"]


def test_proposals_are_asked_for_when_there_is_room_and_recorded_ones_are_not_run(
    made: Callable[..., Scheduler],
) -> None:
    """Each knows what was found before it: the next is asked for only when another place is free."""
    executor = Pretended(1)
    names = iter(["x", "recorded-1", "y"])
    asked: list[int] = []

    def propose() -> Planned | None:
        asked.append(sum(word.startswith("-") for word in executor.told))
        name = next(names, None)
        return planned(name) if name else None

    one = made({"a": 1}, total=4)
    one.run(executor, propose)
    assert starts(executor) == ["a", "x", "y"]
    assert asked[:3] == [1, 2, 2], "a, then x had ended"
    assert (one.state.recorded, one.state.done, one.state.waiting) == (1, 3, 0)


def test_nothing_is_proposed_while_a_cluster_holds_cells_back(made: Callable[..., Scheduler]) -> None:
    executor = Pretended(99, held_back=1)
    names = iter("xyz")
    one = made({"a": 1}, total=4)
    one.executor = executor
    one.running = {"a": planned("a")}
    one.waiting = []
    executor.cells = [planned("a").cell]
    assert one.next(lambda: planned(next(names))) is None
    executor.held_back = 0
    assert (one.next(lambda: planned(next(names))) or planned("none")).cell.name == "x"


def test_the_time_left_is_of_the_queue_and_what_is_not_known_is_said(made: Callable[..., Scheduler]) -> None:
    one = made({"a": 60, "b": 30, "c": 30})
    assert one.time_left() == "2:00 one after the other", "nobody knows how many a cluster takes"
    one.at_once = 2
    assert one.time_left() == "1:00 left"
    one = made({"a": 60, "b": None})
    one.at_once = 1
    assert one.time_left() == "1:00 left and unknown for 1 runs"
    assert made({"a": None, "b": None}).time_left() == "unknown for 2 runs"
    undrawn = made({"typical": 10, "a": 5}, total=4)
    undrawn.at_once = 1
    assert undrawn.time_left() == "0:35 left", "two more like the typical one"
