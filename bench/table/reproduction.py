"""Check whether a table was reproduced: compare the figures of two tables, row by row, by their 95% intervals."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from bench.results.selection import TableError
from bench.table.build import Table
from bench.table.columns import LABELS, QUALITY, Column
from bench.table.rows import Row
from bench.table.terminal import text_table


@dataclass(frozen=True)
class Discrepancy:
    """A figure that differs between two tables beyond chance."""

    row: str
    column: Column
    first: str
    second: str


@dataclass(frozen=True)
class Reproduction:
    compared: int  # figures that both tables have, with an interval
    discrepancies: list[Discrepancy]
    missing: list[str]  # rows that only one of the tables has


def compare_tables(first: Table, second: Table) -> Reproduction:
    """Compare the figures of quality and coverage; TableError if their protocols differ.

    Two figures differ where Welch's 95% interval of their difference excludes 0. By chance alone about one in twenty
    does, if the intervals cover all variance; those of a single training seed cover the variance of the samples alone.
    Figures of two versions of a metric are not compared.
    """
    if first.protocol != second.protocol:
        raise TableError(f"tables of two protocols: {first.protocol}; and {second.protocol}")
    rows = {row.name: row for row in second.rows}
    pairs = [(row, rows[row.name]) for row in first.rows if row.name in rows]
    comparisons = [(row, *comparison) for row, other in pairs for comparison in figures(row, other)]
    discrepancies = [Discrepancy(row.name, column, *texts) for row, column, differs, texts in comparisons if differs]
    names = [{row.name for row in table.rows} for table in (first, second)]
    return Reproduction(len(comparisons), discrepancies, sorted(names[0] ^ names[1]))


def figures(row: Row, other: Row) -> Iterator[tuple[Column, bool, tuple[str, str]]]:
    """Yield the column of each figure that both have with an interval, whether they differ, and both as text."""
    for column in (*QUALITY, *LABELS):
        a, b = row.figures.get(column.key), other.figures.get(column.key)
        same_version = row.versions.get(column.key) == other.versions.get(column.key)
        if a and b and a.interval and b.interval and same_version:
            yield column, bool(a.differs(b)), (column.show(a), column.show(b))


def show(reproduction: Reproduction, place: str, console: Console) -> None:
    """Print the differences from the table of `place`."""
    if reproduction.discrepancies:
        lines = [
            [discrepancy.row, discrepancy.column.heading, discrepancy.first, discrepancy.second]
            for discrepancy in reproduction.discrepancies
        ]
        console.print(text_table("Different beyond chance (95%)", [["row", "figure", "here", place], *lines]))
    if reproduction.missing:
        console.print(f"Rows in only one of the tables: {', '.join(reproduction.missing)}.")
    agreeing = reproduction.compared - len(reproduction.discrepancies)
    console.print(
        f"{agreeing} of {reproduction.compared} figures agree with {place}: "
        "no difference beyond chance (95%). Times are not compared."
    )
