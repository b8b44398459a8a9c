"""Lay out curves of samplers: panels of some figures for each model, a line for each sampler."""

from collections import defaultdict
from collections.abc import Sequence

from bench.plots.axes import label
from bench.plots.panel import Line, Panel, panel
from bench.table.columns import BY_KEY
from bench.table.sampler_curves import SamplerCurve, Sweep


def sampler_panels(sweep: Sweep, curves: Sequence[SamplerCurve]) -> list[Panel]:
    """Return the panels of each model in turn, without those of figures that it lacks."""
    curves_of: dict[tuple[str, str], list[SamplerCurve]] = defaultdict(list)
    for curve in curves:
        curves_of[curve.model, curve.family].append(curve)
    return [
        result
        for (model, family), own in curves_of.items()
        for key in sweep.panels
        if (result := sampler_panel(sweep, model, family, key, own)) is not None
    ]


def sampler_panel(sweep: Sweep, model: str, family: str, key: str, curves: Sequence[SamplerCurve]) -> Panel | None:
    lines = [line for curve in curves if (line := line_of(curve, key)).points]
    return panel(model, family, BY_KEY[key].heading, lines, sweep.x_title, label, log_x=sweep.logarithmic)


def line_of(curve: SamplerCurve, key: str) -> Line:
    """Return the figures of a curve over its positions, with the ends of their intervals."""
    points = zip(curve.places, curve.rows, strict=True)
    pairs = [(place, row.figures[key]) for place, row in points if key in row.figures]
    ends = [(place, *figure.interval) for place, figure in pairs if figure.interval]
    return Line(curve.sampler, [(place, figure.value) for place, figure in pairs], ends)
