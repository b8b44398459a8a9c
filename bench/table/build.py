"""Build the comparison from records: the lecture's table with marks by rule, and the figures behind it.

Columns, rules and the lecture's own marks are data in bench/table/columns.py and rules.py; this file applies them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.results.records import BASELINE_FAMILY, Record, failures
from bench.results.selection import ability_protocols, comparable, presets, protocols, stamp
from bench.table.aggregate import names
from bench.table.columns import NONE, Column, own_columns
from bench.table.rows import Row, Version, gather, newest
from bench.table.rules import BASELINES, BEYOND, FAMILIES, POINT_RULES, REFERENCE, RULES, UNSURE, Baseline, Rule
from bench.table.sampler_curves import SamplerCurve, points_of, sampler_curves, without_points
from bench.table.tasks import Line, lines


@dataclass(frozen=True)
class Cell:
    """A mark of the lecture's table, its figures and its row."""

    mark: str  # ✓, ×, UNSURE, or NONE where the figure or the bar was not measured
    figures: dict[str, str]  # key -> the figure with its heading
    source: str  # the row of the figures
    one_seed: bool  # of the model or of the one that sets the bar: the interval lacks the variance of training
    agrees: bool | None  # with the lecture; None without a decided mark
    lecture: str  # the lecture's mark; "" for a family that it does not have

    @property
    def figure(self) -> str:
        return ", ".join(self.figures.values())

    @property
    def label(self) -> str:
        """The mark; in brackets where it is from one training seed."""
        return f"({self.mark})" if self.one_seed and self.mark in ("✓", "×") else self.mark


@dataclass(frozen=True)
class Table:
    data: str
    preset: str
    contenders: dict[str, str]  # the lines of marks, model -> family; a family without models is keyed by its own name
    others: dict[str, str]  # rows of the models' other samplers -> family
    rules: tuple[Rule, ...]
    bars: dict[str, str]  # rule title -> the row that sets its bar, "" where none does
    lecture: dict[str, dict[str, Cell]]  # rule title -> contender, or other row -> cell
    rows: list[Row]  # without those that stand on a curve only
    curves: list[SamplerCurve]
    lines: list[Line]
    protocol: str
    beside: str  # the protocols of the tasks
    machine: str  # for the marks of speed: the one on which most models were timed; "" if none was
    hardware: str  # the machine, and the precision of the samplers
    stamp: str
    left_out: list[str]  # other programs' images under another protocol, and the difference
    failed: list[str]  # runs without figures because their training diverged
    own: tuple[Column, ...] = ()  # of metrics of the user's own

    @property
    def all_rows(self) -> list[Row]:
        """The rows, and those that stand on a curve only."""
        return [*self.rows, *points_of(self.curves)]


def build(records: Sequence[Record], folder: Path) -> Table:
    """Build one table from records of one data set, one stamp and one evaluation setting."""
    runs, references, left_out = comparable(records, folder)
    labels = names([*runs, *references])
    table_protocols = protocols(runs)
    rows = newest_versions(sorted(gather([*runs, *references], labels), key=order))
    rows = [with_sample_count(row) if row.samples != table_protocols[0].samples else row for row in rows]
    curves = sampler_curves(rows)
    rows = without_points(rows, curves)
    model_rows = [row for row in rows if row.family not in (*REFERENCE, BASELINE_FAMILY)]
    contenders = {
        model: family
        for family in dict.fromkeys([*FAMILIES, *(row.family for row in model_rows)])
        for model in dict.fromkeys(row.model for row in model_rows if row.family == family) or [family]
    }
    lines_of = {model: headline_row(rows, model) for model in contenders}
    others = {row.name: row for row in model_rows if not row.headline}
    rules = RULES if table_protocols[0].quantisation == "uint8" else POINT_RULES
    machine = usual_machine([row for row in lines_of.values() if row])
    bars = {rule.title: bar_row(rule, rows, machine) for rule in rules}
    return Table(
        data=runs[0].config["data"]["name"],
        preset=presets(runs),
        contenders=contenders,
        others={name: row.family for name, row in others.items()},
        rules=rules,
        bars={title: row.name if row else "" for title, row in bars.items()},
        lecture={
            rule.title: {
                name: mark_cell(rule, row, bars[rule.title], contenders.get(name) or others[name].family, machine)
                for name, row in (lines_of | others).items()
            }
            for rule in rules
        },
        rows=rows,
        curves=curves,
        lines=lines([*references, *runs], labels),
        protocol=table_protocols[0].line(),
        beside="; ".join(dict.fromkeys(protocol.line() for protocol in ability_protocols(runs))),
        machine=machine,
        hardware=f"{machine or 'no machine'}, {' or '.join(sorted({p.precision for p in table_protocols}))}",
        stamp=stamp(runs[0]),
        left_out=left_out,
        failed=diverged_runs(runs, folder),
        own=own_columns(result for record in [*references, *runs] for result in record.results.values()),
    )


def diverged_runs(runs: Sequence[Record], folder: Path) -> list[str]:
    """Return the failed runs of the runs' presets and data: a mean over the other seeds must not hide them."""
    groups = {(run.preset, run.config["data"]["name"]) for run in runs}
    return [
        f"{failure.run_id} ({failure.cause})"
        for failure in failures(folder)
        if (failure.config["preset"], failure.config["data"]["name"]) in groups
    ]


def order(row: Row) -> tuple[int, str, int, str, float, str]:
    """Sort key: real images, the lecture's families, other families by name, families without marks; model, steps."""
    families = [BASELINE_FAMILY, *FAMILIES, *BEYOND]
    last = [*families, "", *REFERENCE]
    place = last.index(row.family) if row.family in last else len(families)
    baselines = list(BASELINES)
    real = baselines.index(row.model) if row.model in baselines else len(baselines)
    return place, row.family, real, row.model, steps(row), row.name


def steps(row: Row) -> float:
    """Sort key of the rows of one model: most steps first."""
    return -row.figures["nfe"].value if "nfe" in row.figures else 0.0


def with_sample_count(row: Row) -> Row:
    """Name the number of images of a baseline with fewer images than the models' samples."""
    return replace(row, name=f"{row.name} (n = {row.samples:,})")


def newest_versions(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without figures of another version of a metric than the table's, which is the newest."""
    versions: dict[str, list[Version]] = defaultdict(list)
    for row in rows:
        for key, version in row.versions.items():
            versions[key].append(version)
    latest = {key: newest(known) for key, known in versions.items()}
    return [without_outdated(row, latest) for row in rows]


def without_outdated(row: Row, latest: Mapping[str, Version]) -> Row:
    outdated = [key for key, version in row.versions.items() if version != latest[key]]
    if not outdated:
        return row
    version = "an earlier version" if all(isinstance(latest[key], int) for key in outdated) else "another version"
    sentence = f"{', '.join(outdated)}: {version} than in other rows (`bench train` of its runs updates it)"
    figures = {key: figure for key, figure in row.figures.items() if key not in outdated}
    return replace(row, figures=figures, missing=(*row.missing, sentence))


def headline_row(rows: Sequence[Row], model: str) -> Row | None:
    """Return the row of a model's headline sampler."""
    return next((row for row in rows if row.model == model and row.headline), None)


def usual_machine(rows: Sequence[Row]) -> str:
    """Return the machine on which most rows were timed; of several the first by name, "" if there is none."""
    count = Counter(row.machine for row in rows if row.machine)
    return min(count, key=lambda machine: (-count[machine], machine), default="")


def bar_row(rule: Rule, rows: Sequence[Row], machine: str) -> Row | None:
    """Return the row whose figures, times the rule's factor, are its bar."""
    candidates = [row for row in rows if all(key in row.figures for key in rule.keys)]
    if isinstance(rule.bar, Baseline):
        return next((row for row in candidates if row.family == BASELINE_FAMILY and row.model == rule.bar.name), None)
    (key,) = rule.keys
    timed_rows = [
        row
        for row in candidates
        if row.headline and row.machine == machine and row.family not in (*REFERENCE, BASELINE_FAMILY)
    ]
    return min(timed_rows, key=lambda row: row.figures[key].value, default=None)


def mark_cell(rule: Rule, row: Row | None, bar: Row | None, family: str, machine: str) -> Cell:
    """Apply one rule to one row; only rows timed on `machine` have a mark for speed."""
    lecture = rule.lecture.get(family, "")
    comparable_times = isinstance(rule.bar, Baseline) or (row is not None and row.machine == machine)
    if row is None or not comparable_times or not all(key in row.figures for key in rule.keys):
        return Cell(NONE, {}, row.name if row else "", False, None, lecture)
    figures = {column.key: f"{column.heading} {column.show(row.figures[column.key])}" for column in rule.columns}
    if bar is None:
        return Cell(NONE, figures, row.name, False, None, lecture)
    one_seed = row.seeds == 1 or (bar.seeds == 1 and bar.family != BASELINE_FAMILY)
    values = [row.figures[key] for key in rule.keys]
    limits = [bar.figures[key].scaled(rule.bar.factor) for key in rule.keys]
    mark = "✓" if row is bar else rule.mark(values, limits)
    agrees = None if mark == UNSURE or one_seed or not lecture else mark == lecture
    return Cell(mark, figures, row.name, one_seed, agrees, lecture)
