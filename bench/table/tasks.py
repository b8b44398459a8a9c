"""Records -> block three of the table: what the models do beside sampling."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.config.schema import check_name
from bench.evaluation.tasks.registry import ABILITIES, AbilityEntry
from bench.results.identity import identity
from bench.results.records import FLOOR, Ability, Record
from bench.table.aggregate import over_seeds, seeds
from bench.table.columns import SECTIONS, in_units
from bench.table.figure import Figure, Figures


@dataclass(frozen=True)
class Line:
    """A line of a section: means over training seeds, as in `Row`."""

    section: str
    name: str
    family: str
    figures: Figures
    seeds: int


def lines(records: Sequence[Record], called: Mapping[str, str]) -> list[Line]:
    """Every line of every section, those without a model first; `called` names each identity."""
    groups: dict[tuple[str, str, str], list[tuple[Record, Figures]]] = defaultdict(list)
    for record in records:
        own: dict[tuple[str, str], Figures] = defaultdict(dict)
        for ability in record.abilities.values():
            for section, name, values in entries(called[identity(record)], record.config["model"], ability):
                own[section, name] |= {key: Figure(value) for key, value in values.items()}
        for (section, name), figures in own.items():
            groups[section, name, identity(record)].append((record, figures))
    made = []
    for (section, name, _), group in groups.items():
        means = over_seeds([figures for _, figures in group])
        made.append(Line(section, name, group[0][0].family, means, seeds([record for record, _ in group])))
    return sorted(made, key=lambda line: line.family != FLOOR)


def entries(name: str, model: Mapping[str, str], ability: Ability) -> Iterator[tuple[str, str, dict[str, float]]]:
    """(section, line, figures under the columns' keys and in their units) of one ability's result.

    Raises ConfigError for an ability that is not registered, as a newer bench may have recorded it.
    """
    entry = ABILITIES[check_name("ability", ability.protocol["ability"], ABILITIES)]
    for line, figures in entry.lines(name, model, ability.figures):
        yield entry.section, line, {key: in_units(key, Figure(value)).value for key, value in figures.items()}


def check_section(name: str, entry: AbilityEntry) -> None:
    """Raise ValueError where block three has no such section, so that nothing is measured and never shown."""
    known = [section.key for section in SECTIONS]
    if entry.section not in known:
        raise ValueError(
            f"ability {name}: section={entry.section} is none of bench.table.columns.SECTIONS, which are "
            f"{', '.join(known)}"
        )
