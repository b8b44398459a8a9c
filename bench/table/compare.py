"""`bench compare RUN RUN`: the differences of two runs in settings and figures."""

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
from bench.table.columns import COLUMNS, NONE, SECTIONS, Column, keys_on, own_columns
from bench.table.describe import settings
from bench.table.figure import Figure, Figures
from bench.table.rows import Row, gather
from bench.table.rules import UNSURE
from bench.table.tasks import lines
from bench.table.terminal import text_table
from bench.table.text import Grid, heading

ON_ONE_MACHINE = (*keys_on("sampling"), *keys_on("training"))  # figures that compare on one machine only


def compare(first: str, second: str, overrides: Sequence[str]) -> None:
    """Print the settings that differ, and the comparable figures with their differences, second less first."""
    results = results_of("compare", overrides)
    pair = recorded(first, results), recorded(second, results)
    console = Console(highlight=False)
    console.print(f"A: [bold]{first}[/]\nB: [bold]{second}[/]\n")
    grid = differing_settings(*(flat(origin(record)) for record in pair))
    console.print(text_table("Settings that differ", [["", "A", "B"], *grid]) if grid else "All settings are equal.")
    shared = [setting for setting in settings(pair[0]) if setting in settings(pair[1])]
    for setting in shared:
        console.print(f"Measured under {escape(settings(pair[0])[setting])}.", style="dim")
        for title, block in blocks(*(narrowed(record, {}, setting) for record in pair)):
            console.print(text_table(title, block))
    if not shared:
        console.print(f"[yellow]Figures of samples cannot be compared: {escape(reason_not_comparable(*pair))}[/]")
    for title, block in task_blocks(*pair):
        console.print(text_table(title, block))
    console.print(
        f"Better: {UNSURE} where Welch's 95% interval of the difference contains 0, empty where there is no interval. "
        "The interval is over samples; it does not include the variation between training seeds.",
        style="dim",
    )  # fmt: skip


def origin(record: Record) -> dict[str, Any]:
    """Return everything that a record's figures come from, by the names of the settings."""
    config = {key: value for key, value in record.config.items() if key not in ("results", "wandb")}
    provenance = {"code": record.code, "libraries": record.libraries, "data_digest": record.data_digest[:12]}
    return {**config, **provenance, "precision": record.precision, "hardware": record.hardware}


def flat(tree: dict[str, Any], before: str = "") -> dict[str, str]:
    """Return every leaf as dotted key -> value as text."""
    leaves: dict[str, str] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": str(value)}
    return leaves


def differing_settings(a: dict[str, str], b: dict[str, str]) -> Grid:
    """Return the keys whose values differ, with – for a missing key."""
    keys = dict.fromkeys([*a, *b])
    return [[key, a.get(key, "–"), b.get(key, "–")] for key in keys if a.get(key) != b.get(key)]


def reason_not_comparable(a: Record, b: Record) -> str:
    """Return the first reason why no figures of the two may be compared."""
    protocols = [[Protocol.from_dict(result.protocol) for result in record.results.values()] for record in (a, b)]
    if not all(protocols):
        return f"{(a if not protocols[0] else b).run_id} has none."
    return f"different protocols ({'; '.join(difference(protocols[0][0], protocols[1][0]))})."


def blocks(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """Yield a grid for each sampler that both have; if they share none, for each pair of samplers."""
    of_a, of_b = (gather([record], names([record])) for record in (a, b))
    every = list(product(of_a, of_b))
    pairs = [(left, right) for left, right in every if left.sampler == right.sampler] or every
    machines = {describe(result.hardware) for record in (a, b) for result in record.results.values() if result.timing}
    machines |= {describe(record.hardware) for record in (a, b) if record.hardware}
    own = own_columns(result for record in (a, b) for result in record.results.values())
    columns = [column for column in (*COLUMNS, *own) if len(machines) == 1 or column.key not in ON_ONE_MACHINE]
    for left, right in pairs:
        title = " vs ".join(dict.fromkeys((left.name, right.name)))
        title += "" if len(machines) == 1 else " (two machines: times omitted)"
        yield title, comparison_grid(columns, *of_one_version(left, right))


def of_one_version(first: Row, second: Row) -> tuple[Figures, Figures]:
    """Return the figures of both, without metrics whose versions differ."""
    shared = first.versions.keys() & second.versions.keys()
    differ = {key for key in shared if first.versions[key] != second.versions[key]}
    a, b = ({key: figure for key, figure in row.figures.items() if key not in differ} for row in (first, second))
    return a, b


def task_blocks(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """Yield a grid for each section of the tasks that both measured under the same protocol."""
    shared = a.abilities.keys() & b.abilities.keys()
    a, b = (
        record.model_copy(update={"abilities": {key: record.abilities[key] for key in shared}}) for record in (a, b)
    )
    lines_of_records = [lines([record], names([record])) for record in (a, b)]
    for section in SECTIONS:
        left, right = (
            [line for line in lines_of_record if line.section == section.key] for lines_of_record in lines_of_records
        )
        for record, other in zip(left, right, strict=False):
            title = f"{section.title}: {' vs '.join(dict.fromkeys((record.name, other.name)))}"
            yield title, comparison_grid(section.columns, record.figures, other.figures)


def comparison_grid(columns: Sequence[Column], left: Figures, right: Figures) -> Grid:
    """Return a line for each figure that either has: both with their intervals, B – A, and which is better."""
    grid = [["", "A", "B", "B – A", "better"]]
    for column in columns:
        a, b = left.get(column.key), right.get(column.key)
        if a is not None or b is not None:
            grid.append([heading(column), column.show(a), column.show(b), *verdict(column, a, b)])
    return grid


def verdict(column: Column, a: Figure | None, b: Figure | None) -> tuple[str, str]:
    """Return B – A as text, and A, B, = or UNSURE; "" without a direction or an interval."""
    if a is None or b is None:
        return NONE, ""
    gap = b.value - a.value
    text = ("+" if gap > 0 else "") + column.number(gap)
    if gap == 0:
        return text, "="
    differs = b.differs(a)
    if not differs:
        return text, "" if differs is None else UNSURE
    return text, {"": "", "higher": "AB"[gap > 0], "lower": "AB"[gap < 0]}[column.better]
