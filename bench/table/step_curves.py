"""Quality against steps: the rows of one model that differ in their sampler's number of steps only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.table.columns import BY_KEY
from bench.table.rows import Row, words

TITLE = "Quality against steps"
ABOUT = (
    "The same weights by the same sampler in different numbers of steps, each measured like any row; NFE are the "
    "network evaluations of an image. `bench steps RUN` measures them"
)
LEAST = 4  # numbers of steps that make a curve
COLUMNS = tuple(BY_KEY[key] for key in ("nfe", "fid", "precision", "recall", "coverage", "seconds_per_100"))


@dataclass(frozen=True)
class StepCurve:
    """One model by one sampler, its rows by rising network evaluations."""

    model: str
    family: str
    sampler: str
    rows: tuple[Row, ...]


def step_curves(rows: Sequence[Row]) -> list[StepCurve]:
    """Return the curves of rows that were timed, which counts their network evaluations, and judged."""
    groups: dict[tuple[str, str, str], dict[float, Row]] = defaultdict(dict)
    for row in rows:
        settings = dict(row.sampler_settings)
        if "steps" in settings and {"nfe", "fid"} <= row.figures.keys():
            del settings["steps"]
            groups[row.model, row.family, words(sorted(settings.items()))][row.figures["nfe"].value] = row
    return [
        StepCurve(model, family, sampler_name(settings, rows), rows)
        for (model, family, settings), by_nfe in groups.items()
        if len(rows := tuple(by_nfe[nfe] for nfe in sorted(by_nfe))) >= LEAST
    ]


def sampler_name(settings: str, rows: Sequence[Row]) -> str:
    """Return what the names of the rows' samplers have in common before their steps, or else their settings."""
    kinds = {row.sampler.rpartition("-")[0] for row in rows}
    return kinds.pop() if len(kinds) == 1 else settings


def without_points(rows: Sequence[Row], curves: Sequence[StepCurve]) -> list[Row]:
    """Return the rows of the table: without those that stand on a curve only, because no configuration names them."""
    points = {id(row) for curve in curves for row in curve.rows if not row.configured}
    return [row for row in rows if id(row) not in points]
