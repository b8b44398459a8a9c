"""Show how each mark would change at other factors of its bar, because the rule's own is a choice."""

from bench.table.build import Table, headline_row, mark_cell
from bench.table.rules import BASELINE_FACTORS, SPEED_FACTORS, Fastest, Rule
from bench.table.text import Grid

TITLE = "Marks at other bars"
ABOUT = (
    "Each model's mark with another bar: for speed with other factors, otherwise with the bar scaled; the rule's own "
    "bar is in bold"
)


def sensitivity(table: Table) -> list[tuple[str, Grid]]:
    """Return for each rule its title and a grid: a line for each measured model, a column for each factor."""
    return [(rule.title, grid(table, rule)) for rule in table.rules if table.bars[rule.title]]


def factors(rule: Rule) -> tuple[float, ...]:
    """Return factors around the rule's own."""
    if isinstance(rule.bar, Fastest):
        return tuple(sorted({*SPEED_FACTORS, rule.bar.factor}))
    return tuple(factor * rule.bar.factor for factor in BASELINE_FACTORS)


def grid(table: Table, rule: Rule) -> Grid:
    bar = next(row for row in table.rows if row.name == table.bars[rule.title])
    unit, reference = (1.0, "fastest") if isinstance(rule.bar, Fastest) else (rule.bar.factor, "bar")
    heads = [f"{factor / unit:g} × {reference}" for factor in factors(rule)]
    position = factors(rule).index(rule.bar.factor)
    lines = [
        [model, *(mark_cell(rule.at(factor), row, bar, family, table.machine).label for factor in factors(rule))]
        for model, family in table.contenders.items()
        if (row := headline_row(table.rows, model))
    ]
    return [["", *heads[:position], f"**{heads[position]}**", *heads[position + 1 :]], *lines]
