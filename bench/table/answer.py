"""The table's answer to the trilemma: the rows that have all three ticks, and what the nearest others lack."""

from collections.abc import Mapping

from bench.table.build import Cell, Table
from bench.table.columns import NONE, Column
from bench.table.rows import Row
from bench.table.rules import UNSURE, Rule

TITLE = "Who has all three"
MISSED = {"✓": 0.0, UNSURE: 0.5, "×": 1.0}  # how much of a criterion a mark lacks


def answer(table: Table) -> str:
    """Name the rows with all ticks, and what the rows nearest to that lack; every row is judged by itself."""
    rows = {row.name: row for row in table.rows}
    judged = {
        name: cells
        for name, cells in marks_of_rows(table).items()
        if NONE not in {cell.mark for cell in cells.values()}
    }
    if not judged:
        return f"No row on {table.data} has all its marks: figures or bars were not measured."
    short = {name: sum(MISSED[cell.mark] for cell in cells.values()) for name, cells in judged.items()}
    winners = [labelled(rows[name]) for name, points in short.items() if not points]
    least = min(filter(None, short.values()), default=None)
    nearest = [
        f"{labelled(rows[name])}: {shortfall(table, rows[name], judged[name])}"
        for name, points in short.items()
        if points == least
    ]
    sentences = [f"On {table.data}, {'; '.join(winners) if winners else 'no row'} has all three ticks"]
    return ". ".join([*sentences, *([f"Nearest to that: {'; '.join(nearest)}"] if nearest else [])]) + "."


def marks_of_rows(table: Table) -> dict[str, dict[str, Cell]]:
    """Return the cells of every row with marks, by the rows' names and the criteria's titles."""
    lines = [*table.contenders, *table.others]
    cells_of = ({rule.title: table.lecture[rule.title][line] for rule in table.rules} for line in lines)
    return {next(iter(cells.values())).source or line: cells for line, cells in zip(lines, cells_of, strict=True)}


def labelled(row: Row) -> str:
    return f"{row.name} ({row.seeds} seeds)" if row.seeds > 1 else f"{row.name} (one seed)"


def shortfall(table: Table, row: Row, cells: Mapping[str, Cell]) -> str:
    """Compare a row's figures with the bars of the criteria that it has no tick of."""
    return ", ".join(
        criterion_shortfall(table, row, rule, cells[rule.title].mark)
        for rule in table.rules
        if cells[rule.title].mark != "✓"
    )


def criterion_shortfall(table: Table, row: Row, rule: Rule, mark: str) -> str:
    bar = next(other for other in table.rows if other.name == table.bars[rule.title])
    distances = [
        distance(column, row.figures[column.key].value, bar.figures[column.key].value * rule.bar.factor)
        for column in rule.columns
    ]
    return f"{'undecided on' if mark == UNSURE else 'misses'} {' and '.join(distances)}"


def distance(column: Column, value: float, bar: float) -> str:
    """Return how far a figure is from its bar: in percent if higher is better, as a multiple if lower is."""
    if column.better == "lower":
        far = f"{value / bar:.3g} times"
    else:
        far = f"{abs(value - bar) / bar:.1%} {'below' if value < bar else 'above'}"
    return f"{column.heading} ({column.number(value)}, {far} the bar of {column.number(bar)})"
