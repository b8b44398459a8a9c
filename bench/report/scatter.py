"""Quality against the time for 100 images, as numbers for an SVG.

Drawn here and not by a plotting library, because its page would neither print, nor follow a dark mode by CSS variables,
nor be read by a screen reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.axes import Axis, label, spanning
from bench.report.labels import Box, Label, place
from bench.results.records import FLOOR
from bench.table.build import Table
from bench.table.columns import BY_KEY, Column
from bench.table.rows import Row
from bench.table.rules import FAST, RULES, SHARPNESS
from bench.table.text import called

LEFT, RIGHT, TOP, BOTTOM = 58, 16, 16, 52  # margins of the plot, in pixels
SIZE = 12.5  # of names, in pixels
RADIUS = 7.5
DIRECTIONS = {"lower": "down", "higher": "up"}
VIRIDIS = ("440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725")


@dataclass(frozen=True)
class Dot:
    """A row of figures: its place, the ends of its intervals, and what is said of it."""

    row: int  # its number in the table
    name: str
    family: str
    x: float
    y: float
    bar_x: tuple[float, float] | None
    bar_y: tuple[float, float] | None
    fill: str
    told: str
    label: Label


@dataclass(frozen=True)
class Chart:
    """Pixels of a chart of `width` x `height`, and its words."""

    width: int
    height: int
    x: Axis
    y: Axis
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_title: str
    y_title: str
    key: str  # the figure on the y axis
    dots: list[Dot]
    floor: tuple[float, str] | None
    missing: list[str]  # rows that cannot be drawn

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the plot."""
        return LEFT, TOP, self.width - RIGHT, self.height - BOTTOM


def chart(table: Table, width: int, height: int) -> Chart | None:
    """The rows that were timed and judged; None if there are none.

    The quality is FID for images, as in TABLE.png, and for points the share of good samples, as in their table's rule.
    """
    rule = next(rule for rule in table.rules if rule.title == SHARPNESS)
    quality, time = BY_KEY["fid"] if rule in RULES else rule.columns[0], FAST.columns[0]
    chosen = [(k, row) for k, row in enumerate(table.rows) if drawable(row, quality, time)]
    if not chosen:
        return None
    floors = [row for row in table.rows if row.family == FLOOR and quality.key in row.figures]
    floor = next((row for row in floors if row.model == "held-out"), None)
    heights = [end for _, row in chosen for end in reach(row, quality.key)]
    heights += [floor.figures[quality.key].value] if floor else []
    log = quality.better == "lower" and min(heights) > 0
    across = [end for _, row in chosen for end in reach(row, time.key)]
    x = spanning(across, LEFT, width - RIGHT, log=True, margin=0.12)
    y = spanning(heights, height - BOTTOM, TOP, log=log)
    return Chart(
        width, height, x, y,
        [(x.at(tick), label(tick)) for tick in x.ticks()], [(y.at(tick), label(tick)) for tick in y.ticks()],
        "seconds for 100 images, logarithmic – left is faster",
        f"{quality.heading}{', logarithmic' if log else ''} – {DIRECTIONS[quality.better]} is better",
        quality.key, dots([row for _, row in chosen], [k for k, _ in chosen], x, y, quality, time),
        floor_line(floor, quality, y),
        [row.name for k, row in enumerate(table.rows) if row.family != FLOOR and k not in dict(chosen)],
    )  # fmt: skip


def reach(row: Row, key: str) -> list[float]:
    """A figure and the ends of its interval, less a lower one so near to 0 that a logarithmic axis had no end."""
    value = row.figures[key].value
    low, high = row.figures[key].interval or (value, value)
    return [value, high, *([low] if low > value / 10 else [])]


def floor_line(floor: Row | None, quality: Column, y: Axis) -> tuple[float, str] | None:
    """Where real images stand, and what is written there."""
    value = floor.figures[quality.key].value if floor else None
    return None if floor is None or value is None else (y.at(value), f"{floor.name} {quality.number(value)}")


def drawable(row: Row, quality: Column, time: Column) -> bool:
    return row.family != FLOOR and {quality.key, time.key} <= row.figures.keys() and row.figures[time.key].value > 0


def dots(rows: Sequence[Row], numbers: Sequence[int], x: Axis, y: Axis, quality: Column, time: Column) -> list[Dot]:
    places = [(x.at(row.figures[time.key].value), y.at(row.figures[quality.key].value)) for row in rows]
    bars = [(bar(row, time.key, x), bar(row, quality.key, y)) for row in rows]
    lines = [
        Box(min(wide), py - 1, max(wide), py + 1)
        for (_, py), (wide, _) in zip(places, bars, strict=True) if wide
    ] + [
        Box(px - 1, min(high), px + 1, max(high))
        for (px, _), (_, high) in zip(places, bars, strict=True) if high
    ]  # fmt: skip
    room = Box(x.start + 2, y.end, x.end, y.start - 2)
    labels = place(places, [row.name for row in rows], lines, room, SIZE)
    fills = [colour(row.figures["coverage"].value if "coverage" in row.figures else None) for row in rows]
    return [
        Dot(number, row.name, row.family, px, py, wide, high, fill, told(row, quality, time), one)
        for number, row, (px, py), (wide, high), fill, one in zip(
            numbers, rows, places, bars, fills, labels, strict=True
        )
    ]


def bar(row: Row, key: str, axis: Axis) -> tuple[float, float] | None:
    """The ends of a figure's interval; what an axis does not reach ends with it."""
    low, high = row.figures[key].interval or (0.0, 0.0)
    return None if low == high else (axis.at(low), axis.at(high))


def told(row: Row, quality: Column, time: Column) -> str:
    """A dot in words: what its tooltip shows and a screen reader says."""
    wanted = dict.fromkeys((quality, time, *(BY_KEY[key] for key in ("coverage", "recall", "precision", "nfe"))))
    figures = [
        f"{column.heading} {column.show(row.figures[column.key])}" for column in wanted if column.key in row.figures
    ]
    return f"{called(row)}: {'; '.join(figures)}"


def colour(share: float | None) -> str:
    """A share from 0 to 1 on the ramp; no fill for what was not measured."""
    if share is None:
        return "none"
    place = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(place), len(VIRIDIS) - 2)
    pairs = ((int(VIRIDIS[k][i : i + 2], 16) for k in (low, low + 1)) for i in (0, 2, 4))
    return "#" + "".join(f"{round(a + (place - low) * (b - a)):02x}" for a, b in pairs)
