"""The lecture's nine cells: for each question and family the lecture's word, our mark, and whether they agree.

A family stands by the model that does best in that question; the marks of its others stand beside it, for no single
model of a family need have all its ticks.
"""

from dataclasses import dataclass

from bench.columns import FAMILIES, Rule
from bench.grids import Grid
from bench.table import Cell, Table, first_with

TITLE = "The lecture's nine cells"
ABOUT = "A family stands by the one of its models that does best in the question; the marks of its others stand last"
WORDS = {True: "yes", False: "no", None: "cannot be told"}


@dataclass(frozen=True)
class Verdict:
    question: str
    family: str
    model: str  # that the family stands by; "" where none was measured
    cell: Cell
    others: dict[str, str]  # the family's other models -> their marks

    @property
    def agree(self) -> str:
        return WORDS[self.cell.agrees] if self.cell.figure else "not measured"


def verdicts(table: Table) -> list[Verdict]:
    """A verdict for each of the table's questions and each family of the lecture."""
    return [verdict(table, rule, family) for rule in table.rules for family in FAMILIES]


def verdict(table: Table, rule: Rule, family: str) -> Verdict:
    cells = {model: table.lecture[rule.title][model] for model, of in table.contenders.items() if of == family}
    figures = {model: row.figures[rule.key] for model in cells if (row := first_with(table.rows, model, rule.key))}
    if not figures:
        return Verdict(rule.title, family, "", next(iter(cells.values())), {})
    best = (max if rule.better == "higher" else min)(figures, key=lambda model: figures[model])
    others = {model: cells[model].mark for model in figures if model != best}
    return Verdict(rule.title, family, best, cells[best], others)


def verdict_grid(table: Table) -> Grid:
    """The nine cells as text, a line for each."""
    lines = [
        [
            one.question, FAMILIES[one.family], one.cell.lecture, one.cell.mark,
            f"{one.cell.source}: {one.cell.figure}" if one.model else "–",
            one.agree, ", ".join(f"{mark} {model}" for model, mark in one.others.items()) or "–",
        ]
        for one in verdicts(table)
    ]  # fmt: skip
    return [["question", "family", "lecture", "ours", "figure", "agree", "its other models"], *lines]
