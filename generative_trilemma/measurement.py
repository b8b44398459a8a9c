"""What `evaluate` and `time_sampling` return: figures with intervals, and what they depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, cast

from bench.table.columns import COLUMNS, Column
from bench.table.figure import Figures
from bench.table.html import html_grid
from bench.table.text import heading


@dataclass(frozen=True)
class MeasuredFigure:
    """A figure of a measurement, in the unit of its heading, as in TABLE.csv.

    interval: the ends of its 95% interval; None without one.
    direction: which figures are better; "" where neither is.
    meaning: its definition or source, in a clause.
    """

    heading: str
    value: float
    interval: tuple[float, float] | None
    direction: Literal["lower", "higher", ""]
    meaning: str
    text: str  # the figure with its interval as tables show it

    def __repr__(self) -> str:
        return f"{self.heading} {self.text}"


@dataclass(frozen=True, repr=False)
class Measurement:
    """The figures of a sampler or of images. Jupyter shows it as a table.

    figures: key, as in records and TABLE.csv -> figure.
    protocol: all that the figures depend on beside the sampler; two measurements compare where it is equal.
    about: the protocol in a sentence.
    flags: sentences on why the figures are doubtful; normally there are none.
    """

    title: str
    figures: Mapping[str, MeasuredFigure]
    protocol: Mapping[str, Any]
    about: str
    flags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        width = max(len(figure.heading) for figure in self.figures.values())
        lines = [f"  {figure.heading:<{width}}  {figure.text}" for figure in self.figures.values()]
        return "\n".join([self.title, *lines, *(f"  † {flag}" for flag in self.flags), f"  {self.about}"])

    def _repr_html_(self) -> str:
        grid = [["figure", "value", "better", "meaning"]]
        grid += [[figure.heading, figure.text, figure.direction, figure.meaning] for figure in self.figures.values()]
        notes = "".join(f"<p>† {escape(flag)}</p>" for flag in self.flags)
        return f"<p><b>{escape(self.title)}</b></p>{html_grid(grid)}{notes}<p><small>{escape(self.about)}</small></p>"


def measured(figures: Figures, own: Sequence[Column] = ()) -> dict[str, MeasuredFigure]:
    """Return figures in the units of their columns, in the order of the columns, with what the columns say of them.

    own: the columns of metrics of the user's own.
    """
    return {column.key: described(column, figures) for column in (*COLUMNS, *own) if column.key in figures}


def described(column: Column, figures: Figures) -> MeasuredFigure:
    figure, direction = figures[column.key], cast(Literal["lower", "higher", ""], column.better)
    return MeasuredFigure(
        heading(column), figure.value, figure.interval, direction, column.about, column.show(figure)
    )  # fmt: skip
