"""Records -> the comparison: the lecture's table with marks by rule, and the figures behind it.

Columns, rules and the lecture's own marks are the data below; everything after them only applies them.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evaluation import Protocol, difference
from bench.evaluation.protocol import ROW_FIELDS
from bench.records import Record, Result

FAMILIES = {"autoregressive-vae": "Autoregressive, VAEs", "gan": "GANs", "diffusion": "Diffusion models"}
FLOOR = "data"  # the family of real held-out images


class TableError(ValueError):
    """Records that cannot stand in one table; the message says what differs and how to choose."""


SIGNIFICANT = "three significant digits"


@dataclass(frozen=True)
class Column:
    """A figure of block two: its key, its heading, how it is printed and which way is better ("" where neither is)."""

    key: str
    heading: str
    form: str
    better: str = ""

    def show(self, value: float | None, interval: float | None = None) -> str:
        if value is None:
            return "–"
        return self._number(value) + (f" ± {self._number(interval)}" if interval is not None else "")

    def _number(self, value: float) -> str:
        if self.form == SIGNIFICANT:
            return f"{float(f'{value:.3g}'):,.12g}"  # never 3.5e+03
        return f"{value:{self.form}}"


COLUMNS = (
    Column("fid", "FID", ".2f", "lower"),
    Column("kid", "KID × 1000", ".2f", "lower"),
    Column("precision", "precision", ".3f", "higher"),
    Column("recall", "recall", ".3f", "higher"),
    Column("density", "density", ".3f", "higher"),
    Column("coverage", "coverage", ".3f", "higher"),
    Column("nfe", "NFE", ".0f", "lower"),
    Column("seconds_per_100", "s / 100 images", SIGNIFICANT, "lower"),
    Column("images_per_second", "images/s", ",.0f", "higher"),
    Column("latency_ms", "one image, ms", SIGNIFICANT, "lower"),
    Column("peak_memory_mb", "sampling peak, MB", ",.0f", "lower"),
    Column("parameters", "weights, M", ".2f"),
    Column("images_seen", "images seen, k", ",.0f"),
    Column("train_minutes", "training, min", ".1f"),
)


@dataclass(frozen=True)
class Rule:
    """A row of the lecture's table: ✓ where a family's figure is within `factor` of the best family's."""

    title: str
    key: str
    better: str
    factor: float
    lecture: dict[str, str]

    def passes(self, value: float, best: float) -> bool:
        return value >= self.factor * best if self.better == "higher" else value <= self.factor * best

    @property
    def text(self) -> str:
        heading = next(column.heading for column in COLUMNS if column.key == self.key)
        bound = f"at least {self.factor:g} of" if self.better == "higher" else f"at most {self.factor:g} times"
        return f"{self.title}: ✓ where {heading} is {bound} the best family's"


RULES = (
    Rule(
        "Mode coverage / diversity", "recall", "higher", 0.9, {"autoregressive-vae": "✓", "gan": "×", "diffusion": "✓"}
    ),
    Rule("Fast sampling", "seconds_per_100", "lower", 10.0, {"autoregressive-vae": "✓", "gan": "✓", "diffusion": "×"}),
    Rule("High-quality samples", "fid", "lower", 2.0, {"autoregressive-vae": "×", "gan": "✓", "diffusion": "✓"}),
)


@dataclass(frozen=True)
class Row:
    """A line of block two: the means of one model under one sampler over its training seeds."""

    name: str
    family: str
    figures: dict[str, float]
    intervals: dict[str, float]  # half widths of 95% intervals over training seeds; empty for one seed
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
    rows: list[Row]
    lecture: dict[str, dict[str, Cell]]  # rule title -> family -> cell
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
    lecture = {rule.title: {family: judge(rule, family, rows) for family in FAMILIES} for rule in RULES}
    precision = " or ".join(sorted({setting.precision for setting in settings}))
    machine = f"{describe(machines[0])}, {precision}"
    return Table(rows, lecture, settings[0].line(), machine, runs[0].config.get("stamp", ""))


def same(what: str, values: Sequence[str], choose: str) -> None:
    """Refuse records that differ in `what`, and say how to choose among them."""
    if len(distinct := sorted(set(values))) > 1:
        options = " or ".join(choose.format(value) for value in distinct)
        raise TableError(f"{what} differs between records: {', '.join(distinct)}; choose one with {options}")


def describe(machine: dict[str, Any]) -> str:
    """A machine in words: what a timing depends on."""
    return f"{machine['gpu'] or machine['cpu']}, {machine['threads']} CPU threads"


def order(row: Row) -> tuple[int, str, float]:
    return list(FAMILIES).index(row.family), row.name.split(",")[0], -row.figures.get("nfe", 0)


def gather(records: Sequence[Record]) -> list[Row]:
    """Rows over training seeds: records alike but for their seed, result by result of the same sampler."""
    groups: dict[str, list[tuple[Record, Result]]] = defaultdict(list)
    for record in records:
        identity = {key: record.config[key] for key in ("model", "data", "train") if key in record.config}
        for result in record.results.values():
            way = {key: result.protocol[key] for key in ROW_FIELDS}
            groups[json.dumps([identity, way], sort_keys=True)].append((record, result))
    return [merge(group) for group in groups.values()]


def merge(group: Sequence[tuple[Record, Result]]) -> Row:
    record, result = group[0]
    each = [figures(*pair) for pair in group]
    keys = [key for key in each[0] if all(key in one for one in each)]
    means = {key: statistics.fmean(one[key] for one in each) for key in keys}
    intervals = {key: half_width([one[key] for one in each]) for key in keys} if len(group) > 1 else {}
    sampler = result.protocol["sampler"]
    name = record.config["model"]["name"]
    if record.family == FLOOR:
        name = "held-out images"
    elif sampler != "default":
        name = f"{name}, {sampler}"
    return Row(name, record.family, means, intervals, len(group))


def figures(record: Record, result: Result) -> dict[str, float]:
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


def half_width(values: Sequence[float]) -> float:
    """Half of the 95% interval of the mean under Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5)


def first_with(rows: Sequence[Row], family: str, key: str) -> Row | None:
    """The row that speaks for a family: its first (most steps first) that has the figure."""
    return next((row for row in rows if row.family == family and key in row.figures), None)


def judge(rule: Rule, family: str, rows: Sequence[Row]) -> Cell:
    """Apply one rule to one family."""
    row = first_with(rows, family, rule.key)
    if row is None:
        return Cell("–", "", "", None)
    spoken = [one.figures[rule.key] for other in FAMILIES if (one := first_with(rows, other, rule.key))]
    pick: Callable[[list[float]], float] = max if rule.better == "higher" else min
    mark = "✓" if rule.passes(row.figures[rule.key], pick(spoken)) else "×"
    column = next(column for column in COLUMNS if column.key == rule.key)
    figure = f"{column.heading} {column.show(row.figures[rule.key], row.intervals.get(rule.key))}"
    return Cell(mark, figure, row.name, mark == rule.lecture[family])
