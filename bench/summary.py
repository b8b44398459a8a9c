"""The figures of a record under the names that W&B's summary and a sweep's `metric` know them by."""

from bench.records import Record
from bench.schema import check_name
from bench.seeds import names
from bench.table import first_with, gather, order

SUMMARY = {
    "quality": ("fid", "kid", "precision", "density", "high_quality", "inception_score", "c_t", "near_copies"),
    "coverage": ("recall", "coverage", "modes", "mode_kl", "class_entropy", "vendi"),
    "speed": ("nfe", "seconds_per_100", "images_per_second", "latency_ms"),
    "cost": ("peak_memory_mb", "parameters", "images_seen", "train_minutes"),
}
KEYS = {f"{group}/{figure}": figure for group, figures in SUMMARY.items() for figure in figures}


def summary(record: Record) -> dict[str, float]:
    """Key -> figure, in the table's units, of the row that speaks for the model: its first that has the figure."""
    called = names([record])
    rows = sorted(gather([record], called), key=order)
    (model,) = called.values()
    found = {key: first_with(rows, model, figure) for key, figure in KEYS.items()}
    return {key: row.figures[KEYS[key]] for key, row in found.items() if row}


def check_metric(name: str) -> str:
    return check_name("metric.name", name, KEYS)
