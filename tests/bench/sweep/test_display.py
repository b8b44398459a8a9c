"""How a sweep stands, in words and on a terminal."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from bench.sweep import display
from bench.sweep.display import Display, State, cause, describe_exit, show_failure
from bench.sweep.executor import Cell, Outcome

CELLS = [Cell(f"vae-mnist-{k}-0123abcd", (), "", 1) for k in range(3)]


def test_counts_add_up_to_the_total() -> None:
    state = State("s", total=9, recorded=2, done=3, running={"a": 0.0}, failed=[Outcome(CELLS[0], 1, 1, Path())])
    counts = Display(state, lambda: "0:10 left", lambda _: "").counts()
    assert counts == "5 of 9 done, 1 running, 1 failed, 2 waiting, 0:10 left"


def test_a_terminal_shows_the_last_line_of_each_running_cell_on_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=70, color_system=None)
    monkeypatch.setattr(display, "console", screen)
    now = time.monotonic()
    state = State("families", 9, 2, 3, {CELLS[0].name: now - 75, CELLS[1].name: now - 5})
    shown = Display(state, lambda: "0:10 left", lambda cell: "train vae  76%\n " + "x" * 99)
    screen.print(shown.frame(CELLS[:2], now))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("families ━━━")
    assert lines[1].strip() == "5 of 9 done, 2 running, 2 waiting, 0:10 left"
    assert [line[:46] for line in lines[2:]] == [
        "  vae-mnist-0-0123abcd  1:15  train vae 76% xx", "  vae-mnist-1-0123abcd  0:05  train vae 76% xx"
    ]  # fmt: skip
    assert all(len(line) <= 70 for line in lines)


def test_a_failure_is_shown_with_its_cause_its_last_lines_and_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    file.write_text("\n".join(f"line {k} [red]" for k in range(9)) + "\n\n  bench: no space left  \n\n")
    screen = Console(file=io.StringIO(), width=200, color_system=None)
    monkeypatch.setattr(display, "console", screen)
    outcome = Outcome(CELLS[0], -9, 3.0, file)
    show_failure(outcome)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith(f"{CELLS[0].name}: killed by signal 9; {file}")
    assert [line.strip() for line in text.splitlines()[1:]] == [
        *(f"line {k} [red]" for k in (5, 6, 7, 8)), "bench: no space left",
    ]  # fmt: skip
    assert cause(outcome) == "bench: no space left"
    assert describe_exit(2) == "exit status 2"
