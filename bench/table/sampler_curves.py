"""Curves of one model's rows that differ in one setting of their sampler: its steps, or its guidance by labels."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.evaluation.protocol import Setting
from bench.table.columns import BY_KEY, Column
from bench.table.rows import Row, words

Settings = dict[str, Setting]
NFE = BY_KEY["nfe"]
WORDS = ("digit_words", "new_digit_words", "attribute_words", "new_attribute_words", "reordered_words")
W = Column("label_guidance", "w", "g", about="guidance by labels: 0 is the conditional model alone")


@dataclass(frozen=True)
class Sweep:
    """A setting of samplers, and how rows are drawn against it.

    setting: its key. stem: a sampler's name without it. place: the position of a row with settings, None where it has
    none. columns: of the points' table,
    the first the position. panels: keys of the figures that are drawn. least: positions that make a curve. file: of the
    drawing.
    """

    setting: str
    title: str
    about: str
    file: str
    stem: Callable[[str], str]
    place: Callable[[Row, Settings], float | None]
    columns: tuple[Column, ...]
    panels: tuple[str, ...]
    x_title: str
    logarithmic: bool
    least: int


@dataclass(frozen=True)
class SamplerCurve:
    """One model by one sampler: its rows by rising positions."""

    sweep: Sweep
    model: str
    family: str
    sampler: str
    places: tuple[float, ...]
    rows: tuple[Row, ...]


def evaluations(row: Row, settings: Settings) -> float | None:
    """Return the network evaluations of a row of a sampler with steps, which timing counts."""
    return row.figures[NFE.key].value if "steps" in settings and NFE.key in row.figures else None


def guidance(row: Row, settings: Settings) -> float | None:
    """Return w of a row whose samples had labels; 0 where the sampler does not set it."""
    if "class_accuracy" not in row.figures:
        return None
    return float(settings.get("label_guidance") or 0.0)


STEPS = Sweep(
    "steps",
    "Quality against steps",
    "The same weights by the same sampler in different numbers of steps, each measured like any row; NFE are the "
    "network evaluations of an image. `bench steps RUN` measures them",
    "STEPS.png",
    lambda name: name.rpartition("-")[0],
    evaluations,
    tuple(BY_KEY[key] for key in ("nfe", "fid", "precision", "recall", "coverage", "seconds_per_100")),
    ("fid", "recall", "coverage"),
    "network evaluations, logarithmic",
    logarithmic=True,
    least=4,
)
GUIDANCE = Sweep(
    "label_guidance",
    "Quality against guidance",
    "The same weights by the same sampler with different guidance by labels, w of Ho and Salimans (arXiv:2207.12598): "
    "0 is the conditional model alone, and others call 1 + w the scale. `bench guidance RUN` measures them",
    "GUIDANCE.png",
    lambda name: name.rpartition("-w")[0] or name,
    guidance,
    (
        W,
        *(
            BY_KEY[key]
            for key in ("class_accuracy", "cas", "fid", "intra_fid", "precision", "recall", "coverage", *WORDS)
        ),
    ),
    ("class_accuracy", "fid", "coverage", *WORDS),
    "guidance w",
    logarithmic=False,
    least=3,
)
SWEEPS = (STEPS, GUIDANCE)


def sampler_curves(rows: Sequence[Row]) -> list[SamplerCurve]:
    """Return the curves of rows that were judged, those of each sweep in turn."""
    return [curve for sweep in SWEEPS for curve in curves_of(sweep, rows)]


def curves_of(sweep: Sweep, rows: Sequence[Row]) -> Iterator[SamplerCurve]:
    """Yield one sweep's curves."""
    groups: dict[tuple[str, str, str], dict[float, Row]] = defaultdict(dict)
    for row in rows:
        settings = dict(row.sampler_settings)
        place = sweep.place(row, settings)
        if place is not None and "fid" in row.figures:
            settings.pop(sweep.setting, None)
            groups[row.model, row.family, words(sorted(settings.items()))][place] = row
    for (model, family, fixed), by_place in groups.items():
        if len(by_place) >= sweep.least:
            places = tuple(sorted(by_place))
            points = tuple(by_place[place] for place in places)
            yield SamplerCurve(sweep, model, family, sampler_name(sweep, fixed, points), places, points)


def sampler_name(sweep: Sweep, settings: str, rows: Sequence[Row]) -> str:
    """Return what the names of the rows' samplers have in common before their position, or else their settings."""
    kinds = {sweep.stem(row.sampler) for row in rows}
    return kinds.pop() if len(kinds) == 1 else settings


def without_points(rows: Sequence[Row], curves: Sequence[SamplerCurve]) -> list[Row]:
    """Return the rows of the table: without those that stand on a curve only, because no configuration names them."""
    points = {id(row) for row in points_of(curves)}
    return [row for row in rows if id(row) not in points]


def points_of(curves: Sequence[SamplerCurve]) -> list[Row]:
    """Return the rows that stand on a curve only, each once."""
    rows = {id(row): row for curve in curves for row in curve.rows if not row.configured}
    return list(rows.values())


def by_sweep(curves: Sequence[SamplerCurve]) -> list[tuple[Sweep, list[SamplerCurve]]]:
    """Return the sweeps that have curves, each with them."""
    pairs = [(sweep, [curve for curve in curves if curve.sweep is sweep]) for sweep in SWEEPS]
    return [(sweep, own) for sweep, own in pairs if own]
