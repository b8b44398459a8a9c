"""A bar in a notebook is one output, which is replaced and ends as a line of text."""

import sys
from types import ModuleType
from typing import Any

import pytest

from bench.runtime.notebook import Cell, Line


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[list[Line]]:
    """What IPython's `display` shows: for each output the contents that it had, one after another."""
    made: list[list[Line]] = []

    def display(line: Line, display_id: bool) -> Any:
        assert display_id
        made.append([line])
        return type("Handle", (), {"update": lambda self, newer: made[-1].append(newer)})()

    package = ModuleType("IPython")
    package.display = ModuleType("IPython.display")  # type: ignore[attr-defined]
    package.display.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", package.display)  # type: ignore[attr-defined]
    return made


def test_one_output_is_replaced(outputs: list[list[Line]]) -> None:
    cell = Cell()
    assert outputs == []
    cell.show(0.5, "half")
    cell.show(1.2, "more than all")
    cell.end("done")
    assert outputs == [[Line("half", 0.5), Line("more than all", 1.0), Line("done")]]


def test_a_line_is_text_and_markup_without_control_characters() -> None:
    line = Line("loss < 1", 0.25)
    assert repr(line) == "loss < 1"
    assert '<progress value="0.2500" max="1">' in line._repr_html_()
    assert "loss &lt; 1" in line._repr_html_()
    assert "<progress" not in Line("done")._repr_html_()
