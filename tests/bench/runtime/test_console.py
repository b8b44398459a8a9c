"""A bar counts its work, tells the time left at the rate so far, and writes lines where there is no terminal."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.runtime import console as module
from bench.runtime.console import SECONDS_BETWEEN_LINES, Bar, clock


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that a test sets."""
    set_clock: Any = SimpleNamespace(now=0.0, monotonic=lambda: set_clock.now)
    monkeypatch.setattr(module, "time", set_clock)
    return set_clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00"), (86399, "23:59:59")],
)
def test_seconds_are_minutes_or_hours(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_time_left_is_by_the_rate_since_the_start_and_unknown_before_any_unit(time: Any) -> None:
    with Bar("train", 100, "images", done=20) as bar:  # resumed
        assert bar.left is None
        time.now = 10.0
        bar.advance(20)
        assert (bar.seconds, bar.left) == (10.0, 30.0)


def test_lines_are_written_at_intervals_and_at_the_end(time: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("train", 100, "images") as bar:
        for _ in range(4):
            time.now += 0.6 * SECONDS_BETWEEN_LINES
            bar.advance(25, lambda: "loss 0.1")
    lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "train 50% 50 of 100 images 4/s 0:12 left loss 0.1", "train 100% 100 of 100 images 4/s 0:00 left loss 0.1",
        "train 100 images in 0:24",
    ]  # fmt: skip


def test_the_watcher_sees_every_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(module, "watcher", lambda bar: seen.append(bar.done))
    with Bar("train", 3, "images") as bar:
        for _ in range(3):
            bar.advance()
    assert seen == [1, 2, 3]


def test_a_notebook_has_one_output_for_a_bar_and_no_line(
    time: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[tuple[float | None, str]] = []
    cell = SimpleNamespace(
        show=lambda share, text: shown.append((share, " ".join(text.split()))),
        end=lambda text: shown.append((None, " ".join(text.split()))),
    )
    monkeypatch.setattr(module, "IN_NOTEBOOK", True)
    monkeypatch.setattr(module, "Cell", lambda: cell)
    with Bar("train", 100, "images") as bar:
        bar.advance(25)
        bar.advance(25)  # at the same time, so not shown
        time.now = 10.0
        bar.advance(25, lambda: "loss 0.1")
    assert shown == [
        (0.25, "train 25% 25 of 100 images 0/s 0:00 left"),
        (0.75, "train 75% 75 of 100 images 8/s 0:03 left loss 0.1"),
        (None, "train 75 images in 0:10"),
    ]
    assert capsys.readouterr().err == ""
