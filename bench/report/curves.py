"""Lay out learning curves over images seen for small SVGs: a panel for each model and logged name."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.plots.axes import Axis, label, spanning
from bench.report.collect import Comparison
from bench.results.identity import identity
from bench.results.records import BASELINE_FAMILY

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 10, 40  # margins of the plot, in pixels
BUCKETS = 140  # along a curve, with two of its points each
WIDE = 20.0  # ratio of the largest and the smallest value from which on an axis is logarithmic
SEEDS = 6  # colours of the style sheet

Points = list[tuple[float, float]]  # images seen, value; NaN or infinity is a gap


@dataclass(frozen=True)
class Course:
    """One run's curve: SVG path data, points as `px py images value` for tooltips, and its extremes in words."""

    title: str
    colour: int
    path: str
    points: str
    summary: str
    end: tuple[float, float] | None  # position of its last value, drawn as a dot: a single point has no line


@dataclass(frozen=True)
class Panel:
    model: str
    family: str
    name: str  # of the logged value
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    log: bool
    courses: list[Course]

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """The left, top, right and bottom of the plot."""
        return LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM


def panels(comparison: Comparison) -> list[Panel]:
    """Return the panels of every model with recorded curves, including diverged runs; `loss` first."""
    runs: dict[tuple[str, str], list[tuple[str, dict[str, list[float]]]]] = defaultdict(list)
    families = {record.config["model"]["name"]: record.family for record in comparison.records}
    for record in comparison.records:
        if record.family != BASELINE_FAMILY and record.curves:
            model = comparison.labels[identity(record)]
            runs[model, record.family].append((f"seed {record.config['seed']}", record.curves))
    for failure in comparison.failures:
        if failure.curves:
            model = failure.config["model"]["name"]
            title = f"seed {failure.config.get('seed', '?')}, diverged"
            runs[model, families.get(model, "")].append((title, failure.curves))
    return [
        result
        for (model, family), named_curves in runs.items()
        for name in logged_names([curves for _, curves in named_curves])
        if (result := panel(model, family, name, named_curves)) is not None
    ]


def logged_names(curves_of_runs: Sequence[Mapping[str, list[float]]]) -> list[str]:
    """Return the logged names in their order, with `loss` first."""
    names = dict.fromkeys(name for curves in curves_of_runs for name in curves if name != "images_seen")
    return sorted(names, key=lambda name: name != "loss")


def panel(
    model: str, family: str, name: str, named_curves: Sequence[tuple[str, Mapping[str, list[float]]]]
) -> Panel | None:
    """Lay out one logged name of one model, a line for each run; None where no value is finite."""
    points_of_runs = [
        (title, list(zip(curves["images_seen"], curves[name], strict=False)))
        for title, curves in named_curves
        if name in curves
    ]
    finite = [(x, y) for _, points in points_of_runs for x, y in points if math.isfinite(y)]
    if not finite:
        return None
    values = [y for _, y in finite]
    log = min(values) > 0 and max(values) > WIDE * min(values)
    x = Axis(0, max(max(x for x, _ in finite), 1.0), LEFT, WIDTH - RIGHT)
    y = spanning(values, HEIGHT - BOTTOM, TOP, log=log, margin=0.06)
    courses = [course(title, number, points, x, y) for number, (title, points) in enumerate(points_of_runs)]
    ticks = [(x.at(tick), thousands(tick)) for tick in x.ticks()]
    return Panel(model, family, name, ticks, [(y.at(tick), label(tick)) for tick in y.ticks()], log, courses)


def thousands(images: float) -> str:
    """Format a number of images in few characters: 0, 50k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if images >= size:
            return f"{images / size:.4g}{unit}"
    return f"{images:.4g}"


def course(title: str, number: int, points: Points, x: Axis, y: Axis) -> Course:
    sparse = thin_out(points, BUCKETS)
    finite = [point for point in points if math.isfinite(point[1])]
    summary = (
        f"{title}: first {finite[0][1]:.4g}, least {min(v for _, v in finite):.4g}, last {finite[-1][1]:.4g}"
        if finite
        else f"{title}: no number"
    )
    marks = [(x.at(images), y.at(value), images, value) for images, value in sparse if math.isfinite(value)]
    return Course(
        title,
        number % SEEDS,
        path(sparse, x, y),
        ";".join("{:.1f} {:.1f} {:.0f} {:.4g}".format(*point) for point in marks),
        summary,
        marks[-1][:2] if marks else None,
    )


def path(points: Points, x: Axis, y: Axis) -> str:
    """Return SVG path data, interrupted where a value is not finite."""
    parts, pen = [], "M"
    for images, value in points:
        if math.isfinite(value):
            parts.append(f"{pen}{x.at(images):.1f} {y.at(value):.1f}")
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
