"""Records -> block three of the table: what the models do beside sampling."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.figure import Figure, Figures
from bench.identity import identity
from bench.records import FLOOR, Ability, Record
from bench.seeds import over_seeds, seeds

TERM = "term: "  # keys of a bound's terms among its figures


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
    """(section, line, figures under the columns' keys and in their units) of one ability's result."""
    figures = ability.figures
    match ability.protocol["ability"]:
        case "reconstruct":
            yield "compression", name, figures | {"mse": figures["mse"] * 1000}
        case "encode":
            yield "compression", name, figures
        case "bits_per_dim":
            for bound, bits in figures["bounds"].items():
                error = {"standard_error": figures["standard_error"]} if bound == figures["bound"] else {}
                terms = {f"{TERM}{term}": value for term, value in figures["terms"].get(bound, {}).items()}
                yield "likelihood", f"{name}: {bound}", {"bits_per_dim": bits} | error | terms
        case "denoise":
            for level in figures["levels"]:
                noise = f"{model.get('corruption', 'noise').replace('_', ' ')} {level['level']:g}"
                yield "denoising", f"{name}: {noise}", {key: level[key] for key in level if key != "level"}
