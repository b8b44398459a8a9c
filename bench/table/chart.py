"""Lay out the chart of quality against speed for an SVG: the positions of dots, names, ticks and legend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.plots.axes import Axis, label, spanning
from bench.plots.labels import WIDTH, Box, Label, place
from bench.results.records import BASELINE_FAMILY
from bench.table.build import Table
from bench.table.columns import BY_KEY, SHARE, Column
from bench.table.describe import PAGES
from bench.table.rows import Row
from bench.table.rules import FAST, RULES, SHARPNESS
from bench.table.text import row_label

LEFT, RIGHT, TOP, BOTTOM = 58, 16, 12, 52  # margins of the plot, in pixels; the legend is above its top
SIZE = 12.5  # of names, in pixels
LEGEND_SIZE, LEGEND_LINE, GAP = 12, 22, 20
Ends = tuple[float, float] | None  # of an interval, in pixels
DIRECTIONS = {"lower": "down", "higher": "up"}
SYMBOLS = {  # SVG path data around (0, 0), of nearly one area
    "autoregressive-vae": "M-7.5 0a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0z",
    "gan": "M-6.7-6.7h13.4v13.4h-13.4z",
    "diffusion": "M0-9.5L9.2 6.5h-18.4z",
    "flow": "M-9.5-2h6.5v-6.5h5v6.5h6.5v5h-6.5v6.5h-5v-6.5h-6.5z",
    "diffusion-gan": "M0 9.5L9.2-6.5h-18.4z",
    "autoencoder": "M0-9.2L9.2 0L0 9.2L-9.2 0z",
}
OTHER_SYMBOL = "M-8.4 0L-4.2-7.3h8.4L8.4 0L4.2 7.3h-8.4z"


@dataclass(frozen=True)
class Dot:
    """A row of figures: its position, the ends of its intervals, and its description."""

    row: int  # its number in the table
    name: str
    family: str
    symbol: str
    coverage: float | None
    x: float
    y: float
    bar_x: Ends
    bar_y: Ends
    description: str
    label: Label


@dataclass(frozen=True)
class LegendEntry:
    """A symbol at (x, y) with its text `indent` pixels to its right."""

    kind: str  # "coverage", "interval", "baseline", "unmeasured", or a family
    text: str
    symbol: str
    x: float
    y: float
    indent: float


@dataclass(frozen=True)
class Chart:
    """Pixels of a chart of `width` x `height`, and its words."""

    width: int
    height: int
    top: int  # of the plot
    x: Axis
    y: Axis
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_title: str
    y_title: str
    key: str  # the figure on the y axis
    dots: list[Dot]
    legend: list[LegendEntry]
    baseline: float | None  # y of the line of the held-out images
    missing: list[str]  # rows that cannot be drawn

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """The left, top, right and bottom of the plot."""
        return LEFT, self.top, self.width - RIGHT, self.height - BOTTOM


def chart(table: Table, width: int, height: int) -> Chart | None:
    """Lay out the rows with a quality and a time; None if there are none.

    The quality is FID for images, and the share of good samples for points, as in their table's rule.
    """
    rule = next(rule for rule in table.rules if rule.title == SHARPNESS)
    quality, time = BY_KEY["fid"] if rule in RULES else rule.columns[0], FAST.columns[0]
    numbered_rows = [(k, row) for k, row in enumerate(table.rows) if is_drawable(row, quality, time)]
    if not numbered_rows:
        return None
    rows = [row for _, row in numbered_rows]
    baselines = [row for row in table.rows if row.family == BASELINE_FAMILY and quality.key in row.figures]
    baseline = next(((row.name, row.figures[quality.key].value) for row in baselines if row.model == "held-out"), None)
    entries = legend(rows, f"{baseline[0]} {quality.number(baseline[1])}" if baseline else "", width)
    top = TOP + round(entries[-1].y + LEGEND_LINE / 2)
    heights = [end for row in rows for end in reach(row, quality.key)] + ([baseline[1]] if baseline else [])
    log = quality.better == "lower" and min(heights) > 0
    across = [end for row in rows for end in reach(row, time.key)]
    x = spanning(across, LEFT, width - RIGHT, log=True, margin=0.12)
    y = spanning(heights, height - BOTTOM, top, log=log)
    line = y.at(baseline[1]) if baseline else None
    missing = [row.name for row in table.rows if row.family != BASELINE_FAMILY and row not in rows]
    return Chart(
        width, height, top, x, y,
        [(x.at(tick), label(tick)) for tick in x.ticks()], [(y.at(tick), label(tick)) for tick in y.ticks()],
        "seconds for 100 images, logarithmic – left is faster",
        f"{quality.heading}{', share of samples' if quality.bounds == SHARE else ''}{', logarithmic' if log else ''}"
        f" – {DIRECTIONS[quality.better]} is better",
        quality.key, dots(numbered_rows, x, y, quality, time, line), entries, line,
        missing,
    )  # fmt: skip


def legend(rows: Sequence[Row], baseline: str, width: int) -> list[LegendEntry]:
    """Lay out the families of the rows, then the meaning of filling and lines, in lines within the chart's width."""
    families = list(dict.fromkeys(row.family for row in rows))
    meanings = [("coverage", "filled by coverage, 0 to 1", 60), ("interval", "95% interval", 10)]
    if baseline:
        meanings.append(("baseline", baseline, 22))
    if any("coverage" not in row.figures for row in rows):
        meanings.append(("unmeasured", "coverage not measured", 14))
    entries: list[LegendEntry] = []
    y = LEGEND_LINE / 2
    for group in ([(family, PAGES.get(family, family), 14) for family in families], meanings):
        x = float(LEFT)
        for kind, text, indent in group:
            end = x + indent + WIDTH * LEGEND_SIZE * len(text)
            if end > width - RIGHT and x > LEFT:
                x, y, end = LEFT, y + LEGEND_LINE, end - x + LEFT
            entries.append(LegendEntry(kind, text, SYMBOLS.get(kind, OTHER_SYMBOL), x + 8, y, indent))
            x = end + GAP
        y += LEGEND_LINE
    return entries


def reach(row: Row, key: str) -> list[float]:
    """Return a figure and the ends of its interval, without a low end too near to 0 for a logarithmic axis."""
    value = row.figures[key].value
    low, high = row.figures[key].interval or (value, value)
    return [value, high, *([low] if low > value / 10 else [])]


def is_drawable(row: Row, quality: Column, time: Column) -> bool:
    return (
        row.family != BASELINE_FAMILY
        and {quality.key, time.key} <= row.figures.keys()
        and row.figures[time.key].value > 0
    )


def dots(
    numbered_rows: Sequence[tuple[int, Row]], x: Axis, y: Axis, quality: Column, time: Column, baseline: float | None
) -> list[Dot]:
    rows = [row for _, row in numbered_rows]
    places = [(x.at(row.figures[time.key].value), y.at(row.figures[quality.key].value)) for row in rows]
    bars = [(bar(row, time.key, x), bar(row, quality.key, y)) for row in rows]
    room = Box(x.start + 2, y.end, x.end, y.start - 2)
    lines = [*bar_boxes(places, bars), *([] if baseline is None else [Box(x.start, baseline - 1, x.end, baseline + 1)])]
    labels = place(places, [row.name for row in rows], lines, room, SIZE)
    return [
        Dot(
            number, row.name, row.family, SYMBOLS.get(row.family, OTHER_SYMBOL), coverage(row), *at, *ends,
            description(row, quality, time), text_label,
        )
        for (number, row), at, ends, text_label in zip(numbered_rows, places, bars, labels, strict=True)
    ]  # fmt: skip


def coverage(row: Row) -> float | None:
    return min(max(row.figures["coverage"].value, 0.0), 1.0) if "coverage" in row.figures else None


def bar_boxes(places: Sequence[tuple[float, float]], bars: Sequence[tuple[Ends, Ends]]) -> Iterator[Box]:
    """Yield the boxes that the dots' intervals cover."""
    for (x, y), (wide, high) in zip(places, bars, strict=True):
        if wide:
            yield Box(min(wide), y - 1, max(wide), y + 1)
        if high:
            yield Box(x - 1, min(high), x + 1, max(high))


def bar(row: Row, key: str, axis: Axis) -> Ends:
    """Return the ends of a figure's interval, cut at the ends of the axis."""
    low, high = row.figures[key].interval or (0.0, 0.0)
    return None if low == high else (axis.at(low), axis.at(high))


def description(row: Row, quality: Column, time: Column) -> str:
    """Describe a dot for its tooltip and for screen readers."""
    columns = dict.fromkeys((quality, time, *(BY_KEY[key] for key in ("coverage", "recall", "precision", "nfe"))))
    parts = [
        f"{column.heading} {column.show(row.figures[column.key])}" for column in columns if column.key in row.figures
    ]
    return f"{row_label(row)}: {'; '.join([*parts, 'family ' + PAGES.get(row.family, row.family)])}"
