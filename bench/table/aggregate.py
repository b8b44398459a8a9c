"""Group records into lines of the table, name the lines, and aggregate figures over training seeds."""

from collections import defaultdict
from collections.abc import Sequence

from bench.results.identity import described, identity, training_seed
from bench.results.records import Record
from bench.table.columns import EVERY
from bench.table.figure import UNBOUNDED, Figure, Figures, mean


def names(records: Sequence[Record]) -> dict[str, str]:
    """Name each identity: the model's name, and the settings in which models of one name differ."""
    settings: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)  # model -> identity -> key -> value
    for record in records:
        settings[record.config["model"]["name"]][identity(record)] = {
            f"{section}.{key}": str(value)
            for section, values in described(record.config).items()
            for key, value in values.items()
        } | {"precision": record.precision}
    labels = {}
    for model, variants in settings.items():
        keys = sorted({key for flat in variants.values() for key in flat})
        differ = [key for key in keys if len({flat.get(key) for flat in variants.values()}) > 1]
        for record_identity, flat in variants.items():
            labels[record_identity] = " ".join([model, *(f"{key}={flat.get(key) or '-'}" for key in differ)])
    return labels


def seeds(records: Sequence[Record]) -> int:
    """Count the distinct training seeds of the records; 1 for records without a training."""
    return len({training_seed(record) for record in records})


def over_seeds(trainings: Sequence[Figures]) -> Figures:
    """Return a single training's figures, or the means of the figures that all trainings have.

    A figure that does not vary between seeds has no interval.
    """
    if len(trainings) == 1:
        return dict(trainings[0])
    keys = [key for key in trainings[0] if all(key in figures for figures in trainings)]
    return {key: aggregate(key, [figures[key].value for figures in trainings]) for key in keys}


def aggregate(key: str, values: Sequence[float]) -> Figure:
    """Return the mean of one figure over training seeds."""
    column = EVERY.get(key)
    average = mean(values, column.bounds if column else UNBOUNDED)
    return average if column is None or column.varies else Figure(average.value)
