"""Lay out quality against steps: panels of FID, recall and coverage for each model, a line for each sampler."""

from collections import defaultdict
from collections.abc import Sequence

from bench.plots.axes import label
from bench.plots.panel import Line, Panel, panel
from bench.table.columns import BY_KEY
from bench.table.step_curves import StepCurve

KEYS = ("fid", "recall", "coverage")
NFE = BY_KEY["nfe"]
X_TITLE = "network evaluations, logarithmic"


def step_panels(curves: Sequence[StepCurve]) -> list[Panel]:
    """Return the panels of each model in turn, without those of figures that it lacks."""
    curves_of: dict[tuple[str, str], list[StepCurve]] = defaultdict(list)
    for curve in curves:
        curves_of[curve.model, curve.family].append(curve)
    return [
        result
        for (model, family), own in curves_of.items()
        for key in KEYS
        if (result := step_panel(model, family, key, own)) is not None
    ]


def step_panel(model: str, family: str, key: str, curves: Sequence[StepCurve]) -> Panel | None:
    lines = [line for curve in curves if (line := line_of(curve, key)).points]
    return panel(model, family, BY_KEY[key].heading, lines, X_TITLE, label, log_x=True)


def line_of(curve: StepCurve, key: str) -> Line:
    """Return the figures of a curve over its network evaluations, with the ends of their intervals."""
    pairs = [(row.figures[NFE.key].value, row.figures[key]) for row in curve.rows if key in row.figures]
    ends = [(nfe, *figure.interval) for nfe, figure in pairs if figure.interval]
    return Line(curve.sampler, [(nfe, figure.value) for nfe, figure in pairs], ends)
