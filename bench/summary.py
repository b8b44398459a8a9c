"""The figures of a record under the names that W&B's summary and a sweep's `metric` know them by."""

from bench.records import Record
from bench.schema import check_name
from bench.seeds import names
from bench.table import Row, first_with, gather, steps

SUMMARY = {
    "quality": (
        "fid", "kid", "precision", "density", "high_quality", "inception_score",
        "c_t", "near_copies", "aligned_copies", "exact_copies",
    ),
    "coverage": ("recall", "coverage", "modes", "mode_kl", "class_entropy", "vendi"),
    "speed": ("nfe", "seconds_per_100", "images_per_second", "latency_ms"),
    "cost": ("peak_memory_mb", "parameters", "images_seen", "train_minutes"),
}  # fmt: skip
KEYS = {f"{group}/{figure}": figure for group, figures in SUMMARY.items() for figure in figures}


def summary(record: Record) -> dict[str, float]:
    """Key -> figure, in the table's units, of the row that speaks for the model: its first that has the figure."""
    return {key: row.figures[KEYS[key]] for key, row in spoken(record).items()}


def intervals(record: Record) -> dict[str, float]:
    """Key with _95 -> half width of the 95% interval, of each figure of `summary` that has one."""
    found = {key: row.intervals.get(KEYS[key]) for key, row in spoken(record).items()}
    return {f"{key}_95": width for key, width in found.items() if width is not None}


def spoken(record: Record) -> dict[str, Row]:
    """Key -> the row whose figure it is."""
    called = names([record])
    rows = sorted(gather([record], called), key=steps)
    (model,) = called.values()
    found = {key: first_with(rows, model, figure) for key, figure in KEYS.items()}
    return {key: row for key, row in found.items() if row}


def check_metric(name: str) -> str:
    return check_name("metric.name", name, KEYS)
