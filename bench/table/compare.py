"""`bench compare RUN RUN`: in what two runs differ, their settings and their figures."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from rich.console import Console
from rich.markup import escape

from bench.config.load import results_of
from bench.evaluation.protocol import Protocol, difference
from bench.results.records import Record
from bench.results.selection import describe, narrowed, recorded
from bench.table.aggregate import names
from bench.table.columns import COLUMNS, NONE, SECTIONS, Column, keys_on
from bench.table.describe import settings
from bench.table.figure import Figure, Figures
from bench.table.rows import Row, gather
from bench.table.rules import UNSURE
from bench.table.tasks import lines
from bench.table.terminal import listed
from bench.table.text import Grid, heading

ON_ONE_MACHINE = (*keys_on("sampling"), *keys_on("training"))  # figures that compare only there


def compare(first: str, second: str, overrides: Sequence[str]) -> None:
    """Print the settings that differ, and the figures that compare with their differences, second less first."""
    results = results_of("compare", overrides)
    pair = recorded(first, results), recorded(second, results)
    console = Console(highlight=False)
    console.print(f"A: [bold]{first}[/]\nB: [bold]{second}[/]\n")
    grid = different(*(flat(origin(record)) for record in pair))
    console.print(listed("Settings that differ", [["", "A", "B"], *grid]) if grid else "All settings are equal.")
    shared = [setting for setting in settings(pair[0]) if setting in settings(pair[1])]
    for setting in shared:
        console.print(f"Measured under {escape(settings(pair[0])[setting])}.", style="dim")
        for title, block in blocks(*(narrowed(record, {}, setting) for record in pair)):
            console.print(listed(title, block))
    if not shared:
        console.print(f"[yellow]Figures of samples cannot be compared: {escape(why_not(*pair))}[/]")
    for title, block in abilities(*pair):
        console.print(listed(title, block))
    console.print(
        f"Better: {UNSURE} where Welch's 95% interval of the difference contains 0, empty where there is no interval. "
        "The interval is over samples; it does not include the variation between training seeds.",
        style="dim",
    )  # fmt: skip


def origin(record: Record) -> dict[str, Any]:
    """What a record's figures come from, by the names of the settings."""
    config = {key: value for key, value in record.config.items() if key not in ("results", "wandb")}
    made = {"code": record.code, "libraries": record.libraries, "data_digest": record.data_digest[:12]}
    return {**config, **made, "precision": record.precision, "hardware": record.hardware}


def flat(tree: dict[str, Any], before: str = "") -> dict[str, str]:
    """Dotted key -> value as text, of every leaf."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": str(value)}
    return found


def different(a: dict[str, str], b: dict[str, str]) -> Grid:
    """The keys whose values differ, – where one has no such key."""
    keys = dict.fromkeys([*a, *b])
    return [[key, a.get(key, "–"), b.get(key, "–")] for key in keys if a.get(key) != b.get(key)]


def why_not(a: Record, b: Record) -> str:
    """The first reason that no figure of one may stand beside one of the other."""
    stated = [[Protocol.from_dict(result.protocol) for result in record.results.values()] for record in (a, b)]
    if not all(stated):
        return f"{(a if not stated[0] else b).run_id} has none."
    return f"different protocols ({'; '.join(difference(stated[0][0], stated[1][0]))})."


def blocks(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """A grid for each sampler that both have; where they have none in common, for each pair of theirs."""
    of_a, of_b = (gather([record], names([record])) for record in (a, b))
    every = list(product(of_a, of_b))
    pairs = [(left, right) for left, right in every if left.sampler == right.sampler] or every
    machines = {describe(result.hardware) for record in (a, b) for result in record.results.values() if result.timing}
    machines |= {describe(record.hardware) for record in (a, b) if record.hardware}
    columns = [column for column in COLUMNS if len(machines) == 1 or column.key not in ON_ONE_MACHINE]
    for left, right in pairs:
        title = " vs ".join(dict.fromkeys((left.name, right.name)))
        title += "" if len(machines) == 1 else " (two machines: times omitted)"
        yield title, beside(columns, *of_one_version(left, right))


def of_one_version(left: Row, right: Row) -> tuple[Figures, Figures]:
    """The figures of both, less those of metrics whose versions differ."""
    shared = left.versions.keys() & right.versions.keys()
    differ = {key for key in shared if left.versions[key] != right.versions[key]}
    a, b = ({key: figure for key, figure in row.figures.items() if key not in differ} for row in (left, right))
    return a, b


def abilities(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """What both do beside sampling, where it was measured alike."""
    alike = a.abilities.keys() & b.abilities.keys()
    a, b = (one.model_copy(update={"abilities": {key: one.abilities[key] for key in alike}}) for one in (a, b))
    of = [lines([record], names([record])) for record in (a, b)]
    for section in SECTIONS:
        left, right = ([line for line in found if line.section == section.key] for found in of)
        for one, other in zip(left, right, strict=False):
            title = f"{section.title}: {' vs '.join(dict.fromkeys((one.name, other.name)))}"
            yield title, beside(section.columns, one.figures, other.figures)


def beside(columns: Sequence[Column], left: Figures, right: Figures) -> Grid:
    """A line for each figure that either has: both with their intervals, B – A, and which is better."""
    grid = [["", "A", "B", "B – A", "better"]]
    for column in columns:
        a, b = left.get(column.key), right.get(column.key)
        if a is not None or b is not None:
            grid.append([heading(column), column.show(a), column.show(b), *verdict(column, a, b)])
    return grid


def verdict(column: Column, a: Figure | None, b: Figure | None) -> tuple[str, str]:
    """B – A as text, and A, B, = or UNSURE; nothing where there is no better, or no interval to judge by."""
    if a is None or b is None:
        return NONE, ""
    apart = b.value - a.value
    said = ("+" if apart > 0 else "") + column.number(apart)
    if apart == 0:
        return said, "="
    differs = b.differs(a)
    if not differs:
        return said, "" if differs is None else UNSURE
    return said, {"": "", "higher": "AB"[apart > 0], "lower": "AB"[apart < 0]}[column.better]
