"""The figures of a record by their names in W&B's summary and in a sweep's `metric`."""

from bench.config.schema import check_name
from bench.results.records import Record
from bench.table.aggregate import names
from bench.table.columns import COLUMNS
from bench.table.figure import Figure
from bench.table.rows import gather

KEYS = {f"{column.group}/{column.key}": column.key for column in COLUMNS if column.group}


def summary(record: Record) -> dict[str, float]:
    """Return key -> figure, in the table's units, of the model's headline row."""
    return {key: figure.value for key, figure in headline_figures(record).items()}


def intervals(record: Record) -> dict[str, float]:
    """Return key with _low and _high -> ends of the 95% interval, of each figure of `summary` that has one."""
    ends = {key: figure.interval for key, figure in headline_figures(record).items()}
    return {
        f"{key}_{end}": at for key, pair in ends.items() if pair for end, at in zip(("low", "high"), pair, strict=True)
    }


def headline_figures(record: Record) -> dict[str, Figure]:
    """Return key -> figure of the headline row; empty before it is measured."""
    rows = gather([record], names([record]))
    figures = next((row.figures for row in rows if row.headline), {})
    return {key: figures[figure] for key, figure in KEYS.items() if figure in figures}


def check_metric(name: str) -> str:
    return check_name("metric.name", name, KEYS)
