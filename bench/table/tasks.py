"""Build the tables of the tasks beside sampling from records: reconstruction, probing, likelihood, denoising."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.config.schema import check_name
from bench.evaluation.tasks.registry import ABILITIES, AbilityEntry
from bench.results.identity import identity
from bench.results.records import BASELINE_FAMILY, Ability, Record
from bench.table.aggregate import over_seeds, seeds
from bench.table.columns import SECTIONS, in_units
from bench.table.figure import Figure, Figures


@dataclass(frozen=True)
class Line:
    """A line of a task's section: means over training seeds, as in `Row`."""

    section: str
    name: str
    family: str
    figures: Figures
    seeds: int


def lines(records: Sequence[Record], labels: Mapping[str, str]) -> list[Line]:
    """Return every line of every section, those without a model first; `labels` names each identity."""
    groups: dict[tuple[str, str, str], list[tuple[Record, Figures]]] = defaultdict(list)
    for record in records:
        values_of_line: dict[tuple[str, str], Figures] = defaultdict(dict)
        for ability in record.abilities.values():
            for section, name, values in entries(labels[identity(record)], record.config["model"], ability):
                values_of_line[section, name] |= {key: Figure(value) for key, value in values.items()}
        for (section, name), figures in values_of_line.items():
            groups[section, name, identity(record)].append((record, figures))
    result = []
    for (section, name, _), group in groups.items():
        means = over_seeds([figures for _, figures in group])
        result.append(Line(section, name, group[0][0].family, means, seeds([record for record, _ in group])))
    return sorted(result, key=lambda line: line.family != BASELINE_FAMILY)


def entries(name: str, model: Mapping[str, str], ability: Ability) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield (section, line, figures by the columns' keys and in their units) of one task's result.

    Raises ConfigError for a task that is not registered: a newer version may have recorded it.
    """
    entry = ABILITIES[check_name("ability", ability.protocol["ability"], ABILITIES)]
    for line, figures in entry.lines(name, model, ability.figures):
        yield (
            entry.section_of(ability.figures) or entry.section,
            line,
            {key: in_units(key, Figure(value)).value for key, value in figures.items()},
        )


def check_section(name: str, entry: AbilityEntry) -> None:
    """Raise ValueError where a task's section does not exist, so that nothing is measured and never shown."""
    sections = [section.key for section in SECTIONS]
    if entry.section not in sections:
        raise ValueError(
            f"ability {name}: section={entry.section} is none of bench.table.columns.SECTIONS, which are "
            f"{', '.join(sections)}"
        )
