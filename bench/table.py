"""Records -> the comparison: the lecture's table with marks by rule, and the figures behind it.

Columns, rules and the lecture's own marks are data in bench/columns.py; this file applies them.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.columns import COLUMNS, FAMILIES, POINT_RULES, REFERENCE, RULES, UNSURE, Rule
from bench.evaluation import Protocol
from bench.evaluation.protocol import ROW_FIELDS
from bench.records import FLOOR, OUTSIDE, Record, Result, failures
from bench.seeds import Figures, identity, names, over_seeds
from bench.selection import ability_protocols, comparable, describe, protocols
from bench.third_block import Line, lines


@dataclass(frozen=True)
class Row:
    """A line of block two: the means of one model under one sampler over its training seeds."""

    name: str
    model: str
    family: str
    figures: Figures
    intervals: Figures  # half widths of 95% intervals: over training seeds, for one seed over samples
    seeds: int
    protocols: tuple[str, ...]  # fingerprints of what the figures were measured under
    flags: tuple[str, ...]  # what makes them doubtful


@dataclass(frozen=True)
class Cell:
    """A mark of the lecture's table and what it was made from."""

    mark: str  # ✓, ×, UNSURE, or – where nothing was measured
    figure: str
    source: str  # the row that the figure comes from
    agrees: bool | None  # with the lecture; None without a mark that could
    lecture: str  # its own mark


@dataclass(frozen=True)
class Table:
    contenders: dict[str, str]  # block one's lines, model -> family; a family nobody stands for has its own name
    rules: tuple[Rule, ...]
    lecture: dict[str, dict[str, Cell]]  # rule title -> contender -> cell
    rows: list[Row]
    lines: list[Line]
    protocol: str
    beside: str  # the protocols of block three
    hardware: str
    stamp: str
    left_out: list[str]  # other programs' images that were measured in another way, and what differs
    failed: list[str]  # runs that have no figures because their training diverged


def build(records: Sequence[Record], folder: Path) -> Table:
    """One table from records of one preset, one data set, one evaluation setting and, for timings, one machine."""
    runs, references, left_out = comparable(records, folder)
    called = names([*runs, *references])
    floor = [record for record in references if record.family == FLOOR]
    others = [record for record in references if record.family != FLOOR]
    rows = [*gather(floor, called), *sorted([*gather(runs, called), *gather(others, called)], key=order)]
    contenders = {
        model: family
        for family in FAMILIES
        for model in dict.fromkeys(row.model for row in rows if row.family == family) or [family]
    }
    stated = protocols(runs)
    rules = RULES if stated[0].quantisation == "uint8" else POINT_RULES
    machines = [describe(result.hardware) for run in runs for result in run.results.values() if result.timing]
    return Table(
        contenders=contenders,
        rules=rules,
        lecture={rule.title: {name: judge(rule, name, contenders, rows) for name in contenders} for rule in rules},
        rows=rows,
        lines=lines([*references, *runs], called),
        protocol=stated[0].line(),
        beside="; ".join(dict.fromkeys(protocol.line() for protocol in ability_protocols(runs))),
        hardware=f"{(machines or ['no machine'])[0]}, {' or '.join(sorted({p.precision for p in stated}))}",
        stamp=runs[0].config.get("stamp", ""),
        left_out=left_out,
        failed=diverged(runs[0], folder),
    )


def diverged(like: Record, folder: Path) -> list[str]:
    """The failed runs of a record's preset and data: a mean over the seeds that went well must not hide the others."""
    return [
        f"{failure.run_id} ({failure.cause})"
        for failure in failures(folder)
        if failure.config["preset"] == like.preset and failure.config["data"]["name"] == like.config["data"]["name"]
    ]


def order(row: Row) -> tuple[int, str, float]:
    return list(FAMILIES | REFERENCE).index(row.family), row.model, steps(row)


def steps(row: Row) -> float:
    """Puts the rows of one model in order: most steps first."""
    return -row.figures.get("nfe", 0)


def gather(records: Sequence[Record], called: Mapping[str, str]) -> list[Row]:
    """Rows over training seeds: records alike but for their seed, result by result of the same sampler."""
    groups: dict[str, list[tuple[Record, Result]]] = defaultdict(list)
    for record in records:
        for result in record.results.values():
            way = {key: result.protocol[key] for key in ROW_FIELDS}
            groups[identity(record) + json.dumps(way, sort_keys=True)].append((record, result))
    return [merge(group, called[identity(group[0][0])]) for group in groups.values()]


def merge(group: Sequence[tuple[Record, Result]], model: str) -> Row:
    record, result = group[0]
    means, intervals = over_seeds([figures(*pair) for pair in group])
    flags = (*dict.fromkeys(flag for _, result in group for flag in result.flags), *missing(group))
    fingerprints = tuple(sorted({Protocol.from_dict(result.protocol).fingerprint() for _, result in group}))
    if len(group) == 1:
        intervals = own_intervals(result)
    sampler = result.protocol["sampler"]
    name = model if sampler == "default" or record.family == OUTSIDE else f"{model}, {sampler}"
    if record.family == FLOOR:
        name = "held-out images"
    return Row(name, model, record.family, means, intervals, len(group), fingerprints, flags)


def missing(group: Sequence[tuple[Record, Result]]) -> list[str]:
    """What some seeds have no figure of, so that it has no mean."""
    found = Counter(name for _, result in group for name in result.metrics)
    return [f"{name} of {count} of {len(group)} seeds only" for name, count in found.items() if count < len(group)]


def figures(record: Record, result: Result) -> Figures:
    """The figures of one result under the columns' keys and in their units."""
    values = in_units(result.metrics) | dict(zip(("fid_quarter", "fid_half"), by_count(result), strict=False))
    timing = result.timing
    if timing:
        values |= {key: timing[key] for key in ("nfe", "seconds_per_100", "images_per_second")}
        values["latency_ms"] = timing["latency"] * 1000
        if timing["peak_memory_mb"] is not None:
            values["peak_memory_mb"] = timing["peak_memory_mb"]
    if record.images_seen:
        values["parameters"] = record.parameters / 1e6
        values["images_seen"] = record.images_seen / 1e3
        values["train_minutes"] = record.train_seconds / 60
    return values


def by_count(result: Result) -> list[float]:
    """FID at the rising numbers of samples that it was measured at."""
    return [fid for _, fid in sorted(result.fid_by_count.items())]


def own_intervals(result: Result) -> Figures:
    """Half widths of the 95% intervals of one result, over samples and over repeated timings."""
    intervals = in_units({name: (high - low) / 2 for name, (low, high) in result.intervals.items()})
    if interval := result.timing.get("seconds_per_100_interval"):
        intervals["seconds_per_100"] = (interval[1] - interval[0]) / 2
    return intervals


def in_units(metrics: Mapping[str, float]) -> Figures:
    """Metrics in the columns' units."""
    return {name: value * 1000 if name == "kid" else value for name, value in metrics.items()}


def first_with(rows: Sequence[Row], model: str, key: str) -> Row | None:
    """The row that speaks for a model: its first (most steps first) that has the figure."""
    return next((row for row in rows if row.model == model and key in row.figures), None)


def judge(rule: Rule, model: str, contenders: Mapping[str, str], rows: Sequence[Row]) -> Cell:
    """Apply one rule to one contender; the best is the best of all contenders."""
    row = first_with(rows, model, rule.key)
    lecture = rule.lecture[contenders[model]]
    if row is None:
        return Cell("–", "", "", None, lecture)
    spoken = [one for other in contenders if (one := first_with(rows, other, rule.key))]
    pick: Callable[..., Row] = max if rule.better == "higher" else min
    best = pick(spoken, key=lambda one: one.figures[rule.key])
    values = [(one.figures[rule.key], one.intervals.get(rule.key, 0.0)) for one in (row, best)]
    mark = rule.mark(*values[0], *values[1])
    column = next(column for column in COLUMNS if column.key == rule.key)
    figure = f"{column.heading} {column.show(row.figures[rule.key], row.intervals.get(rule.key))}"
    return Cell(mark, figure, row.name, None if mark == UNSURE else mark == lecture, lecture)
