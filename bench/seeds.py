"""Which records are one line of the table, what it is called, and its means and intervals over training seeds."""

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence

from bench.columns import SET
from bench.evaluation import half_width
from bench.records import Record

Figures = dict[str, float]


def identity(record: Record) -> str:
    """Equal for records that are alike but for their training seed, and the folder that their data lay in."""
    parts = {key: dict(record.config.get(key, {})) for key in ("model", "data", "train")}
    parts["data"].pop("root", None)
    return json.dumps(parts, sort_keys=True)


def names(records: Sequence[Record]) -> dict[str, str]:
    """What to call each identity: the model's name, and the settings in which those of one name differ."""
    settings: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)  # model -> identity -> key -> value
    for record in records:
        flat = {
            f"{part}.{key}": str(value)
            for part in ("model", "train")
            for key, value in record.config.get(part, {}).items()
        }
        settings[record.config["model"]["name"]][identity(record)] = flat
    called = {}
    for model, variants in settings.items():
        keys = sorted({key for flat in variants.values() for key in flat})
        differ = [key for key in keys if len({flat.get(key) for flat in variants.values()}) > 1]
        for one, flat in variants.items():
            called[one] = " ".join([model, *(f"{key}={flat.get(key, '-')}" for key in differ)])
    return called


def over_seeds(each: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Means of the figures that all have, and half widths of their 95% intervals; those of what is SET have none."""
    keys = [key for key in each[0] if all(key in one for one in each)]
    means = {key: statistics.fmean(one[key] for one in each) for key in keys}
    varying = [key for key in keys if key not in SET] if len(each) > 1 else []
    return means, {key: half_width([one[key] for one in each]) for key in varying}
