"""Which records are one line of the table, what it is called, and its means and intervals over training seeds."""

from collections import defaultdict
from collections.abc import Sequence

from bench.results.identity import described, identity, training_seed
from bench.results.records import Record
from bench.table.columns import EVERY
from bench.table.figure import UNBOUNDED, Figure, Figures, mean


def names(records: Sequence[Record]) -> dict[str, str]:
    """What to call each identity: the model's name, and the settings in which those of one name differ."""
    settings: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)  # model -> identity -> key -> value
    for record in records:
        settings[record.config["model"]["name"]][identity(record)] = {
            f"{section}.{key}": str(value)
            for section, values in described(record.config).items()
            for key, value in values.items()
        } | {"precision": record.precision}
    called = {}
    for model, variants in settings.items():
        keys = sorted({key for flat in variants.values() for key in flat})
        differ = [key for key in keys if len({flat.get(key) for flat in variants.values()}) > 1]
        for one, flat in variants.items():
            called[one] = " ".join([model, *(f"{key}={flat.get(key) or '-'}" for key in differ)])
    return called


def seeds(records: Sequence[Record]) -> int:
    """How many trainings the records are of: their distinct seeds; 1 of what was not trained."""
    return len({training_seed(record) for record in records})


def over_seeds(each: Sequence[Figures]) -> Figures:
    """The one training's own figures; of several the means of what all have, without intervals where nothing varies."""
    if len(each) == 1:
        return dict(each[0])
    keys = [key for key in each[0] if all(key in one for one in each)]
    return {key: aggregate(key, [one[key].value for one in each]) for key in keys}


def aggregate(key: str, values: Sequence[float]) -> Figure:
    """The mean of one figure over training seeds."""
    column = EVERY.get(key)
    over = mean(values, column.bounds if column else UNBOUNDED)
    return over if column is None or column.varies else Figure(over.value)
