"""Records -> the comparison: the lecture's table with marks by rule, and the figures behind it.

Columns, rules and the lecture's own marks are data in bench/table/columns.py and rules; this file applies them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.results.records import FLOOR, Record, failures
from bench.results.selection import ability_protocols, comparable, protocols
from bench.table.aggregate import names
from bench.table.columns import NONE
from bench.table.rows import Row, gather
from bench.table.rules import BASELINES, FAMILIES, POINT_RULES, REFERENCE, RULES, UNSURE, Baseline, Rule
from bench.table.tasks import Line, lines


@dataclass(frozen=True)
class Cell:
    """A mark of the lecture's table and what it was made from."""

    mark: str  # ✓, ×, UNSURE, or NONE where the figure or the bar was not measured
    figures: dict[str, str]  # key -> the figure with its heading
    source: str  # the row that the figures come from
    one_seed: bool  # of the model or of the one that sets the bar: no interval holds the chance of a training
    agrees: bool | None  # with the lecture; None without a mark that could
    lecture: str  # its own mark; "" for a family that it does not speak of

    @property
    def figure(self) -> str:
        return ", ".join(self.figures.values())

    @property
    def shown(self) -> str:
        """The mark; in brackets where it is from one training seed."""
        return f"({self.mark})" if self.one_seed and self.mark in ("✓", "×") else self.mark


@dataclass(frozen=True)
class Table:
    data: str
    preset: str
    contenders: dict[str, str]  # block one's lines, model -> family; a family nobody stands for has its own name
    others: dict[str, str]  # rows of the contenders' other samplers -> family
    rules: tuple[Rule, ...]
    bars: dict[str, str]  # rule title -> the row that sets its bar, "" where none does
    lecture: dict[str, dict[str, Cell]]  # rule title -> contender, or other row -> cell
    rows: list[Row]
    lines: list[Line]
    protocol: str
    beside: str  # the protocols of block three
    machine: str  # that the speed question is judged on: the one that most contenders were timed on; "" if none was
    hardware: str  # that, and the precision of the samplers
    stamp: str
    left_out: list[str]  # other programs' images that were measured in another way, and what differs
    failed: list[str]  # runs that have no figures because their training diverged


def build(records: Sequence[Record], folder: Path) -> Table:
    """One table from records of one preset, one data set and one evaluation setting."""
    runs, references, left_out = comparable(records, folder)
    called = names([*runs, *references])
    stated = protocols(runs)
    rows = current(sorted(gather([*runs, *references], called), key=order))
    rows = [with_number(row) if row.samples != stated[0].samples else row for row in rows]
    judged = [row for row in rows if row.family not in (*REFERENCE, FLOOR)]
    contenders = {
        model: family
        for family in dict.fromkeys([*FAMILIES, *(row.family for row in judged)])
        for model in dict.fromkeys(row.model for row in judged if row.family == family) or [family]
    }
    lines_of = {model: speaks(rows, model) for model in contenders}
    others = {row.name: row for row in judged if not row.headline}
    rules = RULES if stated[0].quantisation == "uint8" else POINT_RULES
    machine = usual_machine([row for row in lines_of.values() if row])
    bars = {rule.title: bar_row(rule, rows, machine) for rule in rules}
    return Table(
        data=runs[0].config["data"]["name"],
        preset=runs[0].preset,
        contenders=contenders,
        others={name: row.family for name, row in others.items()},
        rules=rules,
        bars={title: row.name if row else "" for title, row in bars.items()},
        lecture={
            rule.title: {
                name: judge(rule, row, bars[rule.title], contenders.get(name) or others[name].family, machine)
                for name, row in (lines_of | others).items()
            }
            for rule in rules
        },
        rows=rows,
        lines=lines([*references, *runs], called),
        protocol=stated[0].line(),
        beside="; ".join(dict.fromkeys(protocol.line() for protocol in ability_protocols(runs))),
        machine=machine,
        hardware=f"{machine or 'no machine'}, {' or '.join(sorted({p.precision for p in stated}))}",
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


def order(row: Row) -> tuple[int, str, int, str, float, str]:
    """Real images first, the lecture's families, others by their names, what is only compared with; by model, steps."""
    known = [FLOOR, *FAMILIES]
    last = [*known, "", *REFERENCE]
    place = last.index(row.family) if row.family in last else len(known)
    baselines = list(BASELINES)
    real = baselines.index(row.model) if row.model in baselines else len(baselines)
    return place, row.family, real, row.model, steps(row), row.name


def steps(row: Row) -> float:
    """Puts the rows of one model in order: most steps first."""
    return -row.figures["nfe"].value if "nfe" in row.figures else 0.0


def with_number(row: Row) -> Row:
    """The row of real images that are fewer than the others' samples."""
    return replace(row, name=f"{row.name} (n = {row.samples:,})")


def current(rows: Sequence[Row]) -> list[Row]:
    """The rows without the figures that another row has of a newer version of their metric."""
    newest: Counter[str] = Counter()
    for row in rows:
        newest |= Counter(row.versions)
    return [up_to(row, newest) for row in rows]


def up_to(row: Row, newest: Mapping[str, int]) -> Row:
    old = [key for key, version in row.versions.items() if version < newest[key]]
    if not old:
        return row
    said = f"{', '.join(old)}: of an earlier version than other rows' (`bench train` of its runs computes it again)"
    figures = {key: figure for key, figure in row.figures.items() if key not in old}
    return replace(row, figures=figures, missing=(*row.missing, said))


def speaks(rows: Sequence[Row], model: str) -> Row | None:
    """The row of a model's headline sampler."""
    return next((row for row in rows if row.model == model and row.headline), None)


def usual_machine(rows: Sequence[Row]) -> str:
    """The machine that most of these were timed on; of several the first by name, "" if there is none."""
    count = Counter(row.machine for row in rows if row.machine)
    return min(count, key=lambda machine: (-count[machine], machine), default="")


def bar_row(rule: Rule, rows: Sequence[Row], machine: str) -> Row | None:
    """The row whose figures are a rule's bar, times its factor."""
    able = [row for row in rows if all(key in row.figures for key in rule.keys)]
    if isinstance(rule.bar, Baseline):
        return next((row for row in able if row.family == FLOOR and row.model == rule.bar.name), None)
    (key,) = rule.keys
    timed = [row for row in able if row.headline and row.machine == machine and row.family not in (*REFERENCE, FLOOR)]
    return min(timed, key=lambda row: row.figures[key].value, default=None)


def judge(rule: Rule, row: Row | None, bar: Row | None, family: str, machine: str) -> Cell:
    """Apply one rule to one row; only what is timed on `machine` has a mark in speed."""
    lecture = rule.lecture.get(family, "")
    timed = isinstance(rule.bar, Baseline) or (row is not None and row.machine == machine)
    if row is None or not timed or not all(key in row.figures for key in rule.keys):
        return Cell(NONE, {}, row.name if row else "", False, None, lecture)
    figures = {column.key: f"{column.heading} {column.show(row.figures[column.key])}" for column in rule.columns}
    if bar is None:
        return Cell(NONE, figures, row.name, False, None, lecture)
    one_seed = row.seeds == 1 or (bar.seeds == 1 and bar.family != FLOOR)
    values = [row.figures[key] for key in rule.keys]
    limits = [bar.figures[key].scaled(rule.bar.factor) for key in rule.keys]
    mark = "✓" if row is bar else rule.mark(values, limits)
    agrees = None if mark == UNSURE or one_seed or not lecture else mark == lecture
    return Cell(mark, figures, row.name, one_seed, agrees, lecture)
