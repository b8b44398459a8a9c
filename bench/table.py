"""Records -> the comparison: the lecture's table with marks by rule, and the figures behind it.

Columns, rules and the lecture's own marks are data in bench/columns.py; this file applies them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.columns import COLUMNS, FAMILIES, FLOOR, REFERENCE, RULES, Rule
from bench.evaluation import AbilityProtocol, Protocol, difference
from bench.evaluation.protocol import ROW_FIELDS
from bench.records import Record, Result
from bench.seeds import Figures, identity, over_seeds
from bench.third_block import Line, lines


class TableError(ValueError):
    """Records that cannot stand in one table; the message says what differs and how to choose."""


@dataclass(frozen=True)
class Row:
    """A line of block two: the means of one model under one sampler over its training seeds."""

    name: str
    model: str
    family: str
    figures: Figures
    intervals: Figures  # half widths of 95% intervals over training seeds; empty for one seed
    seeds: int


@dataclass(frozen=True)
class Cell:
    """A mark of the lecture's table and what it was made from."""

    mark: str  # ✓, × or – where nothing was measured
    figure: str
    source: str  # the row that the figure comes from
    agrees: bool | None


@dataclass(frozen=True)
class Table:
    contenders: dict[
        str, str
    ]  # the columns of block one: model -> family; a family nobody stands for, under its own name
    lecture: dict[str, dict[str, Cell]]  # rule title -> contender -> cell
    rows: list[Row]
    lines: list[Line]
    protocol: str
    hardware: str
    stamp: str


def select(records: Sequence[Record], wanted: Mapping[str, str]) -> list[Record]:
    """The records of a preset and of a data set, where those are wanted."""
    return [
        record
        for record in records
        if wanted.get("preset", record.preset) == record.preset or record.family == FLOOR
        if wanted.get("data", record.config["data"]["name"]) == record.config["data"]["name"]
    ]


def build(records: Sequence[Record], folder: Path) -> Table:
    """One table from records of one preset, one data set, one evaluation setting and, for timings, one machine."""
    runs = [record for record in records if record.family != FLOOR and record.results]
    if not runs:
        raise TableError(f"{folder}/records: no evaluated runs to make a table of; run `bench train` first")
    same("preset", [record.preset for record in runs], "preset={}")
    same("data", [record.config["data"]["name"] for record in runs], "data={}")
    settings = [Protocol.from_dict(result.protocol) for record in runs for result in record.results.values()]
    for other in settings[1:]:
        if other.setting() != settings[0].setting():
            raise TableError(
                f"results of two protocols: {'; '.join(difference(settings[0], other))}; a table holds one"
            )
    machines = [result.hardware for record in runs for result in record.results.values() if result.timing]
    same("hardware", [describe(machine) for machine in machines], "a results=DIR that holds only records of {}")
    floors = [record for record in records if record.family == FLOOR and settings[0].setting() in {
        Protocol.from_dict(result.protocol).setting() for result in record.results.values()
    }]  # fmt: skip
    rows = [*gather(floors), *sorted(gather(runs), key=order)]
    contenders = {
        model: family
        for family in FAMILIES
        for model in dict.fromkeys(row.model for row in rows if row.family == family) or [family]
    }
    lecture = {rule.title: {name: judge(rule, name, contenders, rows) for name in contenders} for rule in RULES}
    precision = " or ".join(sorted({setting.precision for setting in settings}))
    machine = f"{describe(machines[0])}, {precision}"
    check_abilities(records)
    return Table(
        contenders, lecture, rows, lines(records), settings[0].line(), machine, runs[0].config.get("stamp", "")
    )


def check_abilities(records: Sequence[Record]) -> None:
    """Refuse figures of one ability that were measured in two ways."""
    first: dict[str, AbilityProtocol] = {}
    for record in records:
        for ability in record.abilities.values():
            stated = AbilityProtocol.from_dict(ability.protocol)
            known = first.setdefault(stated.ability, stated)
            if known.setting() != stated.setting():
                differ = "; ".join(difference(known, stated))
                raise TableError(f"{stated.ability} measured by two protocols: {differ}; a table holds one")


def same(what: str, values: Sequence[str], choose: str) -> None:
    """Refuse records that differ in `what`, and say how to choose among them."""
    if len(distinct := sorted(set(values))) > 1:
        options = " or ".join(choose.format(value) for value in distinct)
        raise TableError(f"{what} differs between records: {', '.join(distinct)}; choose one with {options}")


def describe(machine: dict[str, Any]) -> str:
    """A machine in words: what a timing depends on."""
    return f"{machine['gpu'] or machine['cpu']}, {machine['threads']} CPU threads"


def order(row: Row) -> tuple[int, str, float]:
    return list(FAMILIES | REFERENCE).index(row.family), row.model, -row.figures.get("nfe", 0)


def gather(records: Sequence[Record]) -> list[Row]:
    """Rows over training seeds: records alike but for their seed, result by result of the same sampler."""
    groups: dict[str, list[tuple[Record, Result]]] = defaultdict(list)
    for record in records:
        for result in record.results.values():
            way = {key: result.protocol[key] for key in ROW_FIELDS}
            groups[identity(record) + json.dumps(way, sort_keys=True)].append((record, result))
    return [merge(group) for group in groups.values()]


def merge(group: Sequence[tuple[Record, Result]]) -> Row:
    record, result = group[0]
    means, intervals = over_seeds([figures(*pair) for pair in group])
    sampler = result.protocol["sampler"]
    name = model = record.config["model"]["name"]
    if record.family == FLOOR:
        name = "held-out images"
    elif sampler != "default":
        name = f"{name}, {sampler}"
    return Row(name, model, record.family, means, intervals, len(group))


def figures(record: Record, result: Result) -> Figures:
    """The figures of one result under the columns' keys and in their units."""
    values = dict(result.metrics)
    if "kid" in values:
        values["kid"] *= 1000
    timing = result.timing
    if timing:
        values |= {key: timing[key] for key in ("nfe", "seconds_per_100", "images_per_second")}
        values["latency_ms"] = timing["latency"] * 1000
        if timing["peak_memory_mb"] is not None:
            values["peak_memory_mb"] = timing["peak_memory_mb"]
    if record.family != FLOOR:
        values["parameters"] = record.parameters / 1e6
        values["images_seen"] = record.images_seen / 1e3
        values["train_minutes"] = record.train_seconds / 60
    return values


def first_with(rows: Sequence[Row], model: str, key: str) -> Row | None:
    """The row that speaks for a model: its first (most steps first) that has the figure."""
    return next((row for row in rows if row.model == model and key in row.figures), None)


def judge(rule: Rule, model: str, contenders: Mapping[str, str], rows: Sequence[Row]) -> Cell:
    """Apply one rule to one contender; the best is the best of all contenders."""
    row = first_with(rows, model, rule.key)
    if row is None:
        return Cell("–", "", "", None)
    spoken = [one.figures[rule.key] for other in contenders if (one := first_with(rows, other, rule.key))]
    pick: Callable[[list[float]], float] = max if rule.better == "higher" else min
    mark = "✓" if rule.passes(row.figures[rule.key], pick(spoken)) else "×"
    column = next(column for column in COLUMNS if column.key == rule.key)
    figure = f"{column.heading} {column.show(row.figures[rule.key], row.intervals.get(rule.key))}"
    return Cell(mark, figure, row.name, mark == rule.lecture[contenders[model]])
