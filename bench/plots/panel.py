"""Lay out curves for small SVGs: panels of lines with ticks, gaps, error bars and points for tooltips."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.plots.axes import Axis, label, spanning

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 10, 40  # margins of the plot, in pixels
BUCKETS = 140  # along a curve, with two of its points each
WIDE = 20.0  # ratio of the largest and the smallest value from which on an axis is logarithmic
FEW = 20  # points of a curve that is drawn with a dot for each
COLOURS = 6  # of the style sheet

Points = list[tuple[float, float]]  # x, value; NaN or infinity is a gap


@dataclass(frozen=True)
class Line:
    """The data of one curve. ends: of the points' intervals, where they have one."""

    title: str
    points: Points
    ends: list[tuple[float, float, float]] = field(default_factory=list)  # x, low, high


@dataclass(frozen=True)
class Course:
    """One curve: SVG path data, points as `px py x value` for tooltips, and its extremes in words."""

    title: str
    colour: int
    path: str
    points: str
    summary: str
    dots: list[tuple[float, float]]  # positions of the values of a short curve, of a long one the last
    bars: list[tuple[float, float, float]]  # x, low and high of intervals, in pixels


@dataclass(frozen=True)
class Panel:
    model: str
    family: str
    name: str  # of the value
    x_title: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    log: bool
    courses: list[Course]

    @property
    def size(self) -> tuple[int, int]:
        return WIDTH, HEIGHT

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """The left, top, right and bottom of the plot."""
        return LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM


def panel(
    model: str,
    family: str,
    name: str,
    lines: Sequence[Line],
    x_title: str,
    x_label: Callable[[float], str],
    *,
    log_x: bool = False,
) -> Panel | None:
    """Lay out lines of one value in a panel; None where no value is finite. log_x: of x > 0, else from 0."""
    finite = [(x, y) for line in lines for x, y in line.points if math.isfinite(y)]
    if not finite:
        return None
    values = [y for _, y in finite] + [end for line in lines for _, *ends in line.ends for end in ends]
    log = min(values) > 0 and max(values) > WIDE * min(values)
    places = [x for x, _ in finite]
    if log_x:
        x = spanning(places, LEFT, WIDTH - RIGHT, log=True, margin=0.06)
    else:
        x = Axis(0, max([*places, 1.0]), LEFT, WIDTH - RIGHT)
    y = spanning(values, HEIGHT - BOTTOM, TOP, log=log, margin=0.06)
    courses = [course(line, number, x, y) for number, line in enumerate(lines)]
    x_ticks = [(x.at(tick), x_label(tick)) for tick in x.ticks()]
    y_ticks = [(y.at(tick), label(tick)) for tick in y.ticks()]
    return Panel(model, family, name, x_title, x_ticks, y_ticks, log, courses)


def course(line: Line, number: int, x: Axis, y: Axis) -> Course:
    sparse = thin_out(line.points, BUCKETS)
    finite = [point for point in line.points if math.isfinite(point[1])]
    summary = (
        f"{line.title}: first {finite[0][1]:.4g}, least {min(v for _, v in finite):.4g}, last {finite[-1][1]:.4g}"
        if finite
        else f"{line.title}: no number"
    )
    marks = [(x.at(place), y.at(value), place, value) for place, value in sparse if math.isfinite(value)]
    return Course(
        line.title,
        number % COLOURS,
        path(sparse, x, y),
        ";".join("{:.1f} {:.1f} {:.0f} {:.4g}".format(*point) for point in marks),
        summary,
        [mark[:2] for mark in (marks if len(marks) <= FEW else marks[-1:])],
        [(x.at(place), y.at(low), y.at(high)) for place, low, high in line.ends],
    )


def path(points: Points, x: Axis, y: Axis) -> str:
    """Return SVG path data, interrupted where a value is not finite."""
    parts, pen = [], "M"
    for place, value in points:
        if math.isfinite(value):
            parts.append(f"{pen}{x.at(place):.1f} {y.at(value):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def thin_out(points: Points, buckets: int) -> Points:
    """Reduce a curve to the smallest and largest point of each of `buckets` equal parts, so that no spike is lost.

    The first and the last point stay. A part with NaN or infinity keeps one such point as a gap.
    """
    if len(points) <= 2 * buckets:
        return points
    indices = []
    for k in range(buckets):
        part = range(k * len(points) // buckets, (k + 1) * len(points) // buckets)
        finite = [i for i in part if math.isfinite(points[i][1])]
        gaps = [i for i in part if not math.isfinite(points[i][1])]
        ends = {min(finite, key=lambda i: points[i][1]), max(finite, key=lambda i: points[i][1])} if finite else set()
        indices += sorted({*ends, *gaps[:1]})
    return [points[i] for i in sorted({0, *indices, len(points) - 1})]
