"""The figures of a record under the names that W&B's summary and a sweep's `metric` know them by."""

from bench.config.schema import check_name
from bench.results.records import Record
from bench.table.aggregate import names
from bench.table.columns import COLUMNS
from bench.table.figure import Figure
from bench.table.rows import gather

KEYS = {f"{column.group}/{column.key}": column.key for column in COLUMNS if column.group}


def summary(record: Record) -> dict[str, float]:
    """Key -> figure, in the table's units, of the row that speaks for the model: its headline sampler's."""
    return {key: figure.value for key, figure in spoken(record).items()}


def intervals(record: Record) -> dict[str, float]:
    """Key with _low and _high -> ends of the 95% interval, of each figure of `summary` that has one."""
    ends = {key: figure.interval for key, figure in spoken(record).items()}
    return {
        f"{key}_{end}": at for key, pair in ends.items() if pair for end, at in zip(("low", "high"), pair, strict=True)
    }


def spoken(record: Record) -> dict[str, Figure]:
    """Key -> figure of the headline row; nothing before that is measured."""
    rows = gather([record], names([record]))
    figures = next((row.figures for row in rows if row.headline), {})
    return {key: figures[figure] for key, figure in KEYS.items() if figure in figures}


def check_metric(name: str) -> str:
    return check_name("metric.name", name, KEYS)
