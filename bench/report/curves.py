"""Learning curves over images seen, as numbers for small SVGs: a panel for each model and logged name."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.plots.axes import Axis, label, spanning
from bench.report.collect import Comparison
from bench.results.identity import identity
from bench.results.records import FLOOR

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 10, 40  # margins of the plot, in pixels
BUCKETS = 140  # along a curve, two of its points kept in each
WIDE = 20.0  # greatest value over least from which on an axis is logarithmic
SEEDS = 6  # colours of the style sheet

Points = list[tuple[float, float]]  # images seen, value; a value that is no number is a gap


@dataclass(frozen=True)
class Course:
    """One run's curve: SVG path data, points as `px py images value` for tooltips, and its extremes in words."""

    title: str
    colour: int
    path: str
    points: str
    told: str
    end: tuple[float, float] | None  # where its last value is; a dot, or a curve of one point could not be seen


@dataclass(frozen=True)
class Panel:
    model: str
    family: str
    name: str  # of what was logged
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    log: bool
    courses: list[Course]

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the plot."""
        return LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM


def panels(comparison: Comparison) -> list[Panel]:
    """The panels of every model that kept its curves, diverged runs among them; `loss` first."""
    runs: dict[tuple[str, str], list[tuple[str, dict[str, list[float]]]]] = defaultdict(list)
    families = {one.config["model"]["name"]: one.family for one in comparison.records}
    for record in comparison.records:
        if record.family != FLOOR and record.curves:
            model = comparison.called[identity(record)]
            runs[model, record.family].append((f"seed {record.config['seed']}", record.curves))
    for failure in comparison.failures:
        if failure.curves:
            model = failure.config["model"]["name"]
            title = f"seed {failure.config.get('seed', '?')}, diverged"
            runs[model, families.get(model, "")].append((title, failure.curves))
    return [
        made
        for (model, family), each in runs.items()
        for name in logged([curves for _, curves in each])
        if (made := panel(model, family, name, each)) is not None
    ]


def logged(each: Sequence[Mapping[str, list[float]]]) -> list[str]:
    """What was logged, in its order, with `loss` first."""
    names = dict.fromkeys(name for curves in each for name in curves if name != "images_seen")
    return sorted(names, key=lambda name: name != "loss")


def panel(model: str, family: str, name: str, each: Sequence[tuple[str, Mapping[str, list[float]]]]) -> Panel | None:
    """One logged name of one model, a line for each run; None where no value is a number."""
    known = [
        (title, list(zip(curves["images_seen"], curves[name], strict=False)))
        for title, curves in each
        if name in curves
    ]
    finite = [(x, y) for _, points in known for x, y in points if math.isfinite(y)]
    if not finite:
        return None
    values = [y for _, y in finite]
    log = min(values) > 0 and max(values) > WIDE * min(values)
    x = Axis(0, max(max(x for x, _ in finite), 1.0), LEFT, WIDTH - RIGHT)
    y = spanning(values, HEIGHT - BOTTOM, TOP, log=log, margin=0.06)
    courses = [course(title, number, points, x, y) for number, (title, points) in enumerate(known)]
    ticks = [(x.at(tick), thousands(tick)) for tick in x.ticks()]
    return Panel(model, family, name, ticks, [(y.at(tick), label(tick)) for tick in y.ticks()], log, courses)


def thousands(images: float) -> str:
    """Images in few characters: 0, 50k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if images >= size:
            return f"{images / size:.4g}{unit}"
    return f"{images:.4g}"


def course(title: str, number: int, points: Points, x: Axis, y: Axis) -> Course:
    kept = thinned(points, BUCKETS)
    finite = [one for one in points if math.isfinite(one[1])]
    told = (
        f"{title}: first {finite[0][1]:.4g}, least {min(v for _, v in finite):.4g}, last {finite[-1][1]:.4g}"
        if finite
        else f"{title}: no number"
    )
    shown = [(x.at(images), y.at(value), images, value) for images, value in kept if math.isfinite(value)]
    return Course(
        title,
        number % SEEDS,
        path(kept, x, y),
        ";".join("{:.1f} {:.1f} {:.0f} {:.4g}".format(*one) for one in shown),
        told,
        shown[-1][:2] if shown else None,
    )


def path(points: Points, x: Axis, y: Axis) -> str:
    """SVG path data, interrupted where a value is no number."""
    parts, pen = [], "M"
    for images, value in points:
        if math.isfinite(value):
            parts.append(f"{pen}{x.at(images):.1f} {y.at(value):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def thinned(points: Points, buckets: int) -> Points:
    """At most 2 points for each of so many equal parts of the curve, least and greatest, so that no spike is lost.

    The first and the last point stay, and a part that holds a value that is no number keeps one as a gap.
    """
    if len(points) <= 2 * buckets:
        return points
    kept = []
    for k in range(buckets):
        part = range(k * len(points) // buckets, (k + 1) * len(points) // buckets)
        finite = [i for i in part if math.isfinite(points[i][1])]
        gaps = [i for i in part if not math.isfinite(points[i][1])]
        ends = {min(finite, key=lambda i: points[i][1]), max(finite, key=lambda i: points[i][1])} if finite else set()
        kept += sorted({*ends, *gaps[:1]})
    return [points[i] for i in sorted({0, *kept, len(points) - 1})]
