"""A progress bar in a notebook: one output of the cell, which is replaced as the work advances."""

from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Line:
    """A line of text, and for a frontend that shows HTML a bar before it.

    share: of the work that is done, in [0, 1]; None: no bar.
    """

    text: str
    share: float | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        bar = "" if self.share is None else f'<progress value="{self.share:.4f}" max="1"></progress>'
        return f'<pre style="margin: 0; line-height: 1.2">{bar}{escape(self.text)}</pre>'


class Cell:
    """An output of the running cell of a notebook; IPython, whose kernel runs it, replaces its content."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, share: float, text: str) -> None:
        """Show the share of the work that is done, at most 1, and a line about it."""
        self._put(Line(text, min(share, 1.0)))

    def end(self, text: str) -> None:
        """Replace the bar by the line about the finished work."""
        self._put(Line(text))

    def _put(self, line: Line) -> None:
        if self.handle is None:
            from IPython.display import display

            self.handle = display(line, display_id=True)
        else:
            self.handle.update(line)
