"""Whether a table came out again: the figures of two tables, row by row, beside their 95% intervals."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from bench.results.selection import TableError
from bench.table.build import Table
from bench.table.columns import QUALITY, Column
from bench.table.rows import Row
from bench.table.terminal import listed


@dataclass(frozen=True)
class Apart:
    """A figure of which two tables say more than their intervals allow."""

    row: str
    column: Column
    here: str
    there: str


@dataclass(frozen=True)
class Repetition:
    compared: int  # figures that both tables have, with an interval
    apart: list[Apart]
    missing: list[str]  # rows that only one of the tables has


def repetition(here: Table, there: Table) -> Repetition:
    """Compare the figures of quality and coverage; TableError if they were measured in two ways.

    Two figures are apart where Welch's 95% interval of their difference excludes 0. If nothing changed but chance,
    about one in twenty is, where the intervals hold all of the chance; those of a single training seed hold that of the
    samples alone. Figures of two versions of a metric are not compared.
    """
    if here.protocol != there.protocol:
        raise TableError(f"tables of two protocols: {here.protocol}; and {there.protocol}")
    rows = {row.name: row for row in there.rows}
    pairs = [(row, rows[row.name]) for row in here.rows if row.name in rows]
    both = [(row, *judged) for row, other in pairs for judged in figures(row, other)]
    apart = [Apart(row.name, column, *shown) for row, column, differ, shown in both if differ]
    names = [{row.name for row in table.rows} for table in (here, there)]
    return Repetition(len(both), apart, sorted(names[0] ^ names[1]))


def figures(row: Row, other: Row) -> Iterator[tuple[Column, bool, tuple[str, str]]]:
    """For each figure that both have with an interval: its column, whether they are apart, and both as text."""
    for column in QUALITY:
        a, b = row.figures.get(column.key), other.figures.get(column.key)
        alike = row.versions.get(column.key) == other.versions.get(column.key)
        if a and b and a.interval and b.interval and alike:
            yield column, bool(a.differs(b)), (column.show(a), column.show(b))


def show(found: Repetition, place: str, console: Console) -> None:
    """Print what came out otherwise than in the table of `place`."""
    if found.apart:
        lines = [[one.row, one.column.heading, one.here, one.there] for one in found.apart]
        console.print(listed("Different beyond chance (95%)", [["row", "figure", "here", place], *lines]))
    if found.missing:
        console.print(f"Rows in only one of the tables: {', '.join(found.missing)}.")
    console.print(
        f"{found.compared - len(found.apart)} of {found.compared} figures agree with {place}: "
        "no difference beyond chance (95%). Times are not compared."
    )
