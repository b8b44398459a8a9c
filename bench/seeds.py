"""Means and intervals over training seeds."""

import json
import statistics
from collections.abc import Sequence

from bench.records import Record

Figures = dict[str, float]


def identity(record: Record) -> str:
    """Equal for records that are alike but for their training seed."""
    return json.dumps({key: record.config.get(key) for key in ("model", "data", "train")}, sort_keys=True)


def over_seeds(each: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Means, and half widths of their 95% intervals (none for one seed), of the figures that all have."""
    keys = [key for key in each[0] if all(key in one for one in each)]
    means = {key: statistics.fmean(one[key] for one in each) for key in keys}
    intervals = {key: half_width([one[key] for one in each]) for key in keys} if len(each) > 1 else {}
    return means, intervals


def half_width(values: Sequence[float]) -> float:
    """Half of the 95% interval of the mean under Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5)
