"""The lecture's nine cells: for each question and family the lecture's word, our mark, and whether they agree.

A family stands by the model that does best in that question; the marks of its others stand beside it, for no single
model of a family need have all its ticks.
"""

from dataclasses import dataclass

from bench.table.build import Cell, Table, speaks
from bench.table.columns import NONE
from bench.table.rules import FAMILIES, Rule
from bench.table.text import Grid

TITLE = "The lecture's nine cells"
ABOUT = (
    "A family stands by the one of its models whose headline row does best in the question; the marks of its others "
    "stand last"
)
WORDS = {True: "yes", False: "no", None: "cannot be told"}
ONE_SEED = "one seed"


@dataclass(frozen=True)
class Verdict:
    question: str
    family: str
    model: str  # that the family stands by; "" where none was measured
    cell: Cell
    others: dict[str, str]  # the family's other models -> their marks

    @property
    def agree(self) -> str:
        if self.cell.mark == NONE:
            return "no bar" if self.cell.figures else "not measured"
        return ONE_SEED if self.cell.one_seed else WORDS[self.cell.agrees]


def verdicts(table: Table) -> list[Verdict]:
    """A verdict for each of the table's questions and each family of the lecture."""
    return [verdict(table, rule, family) for rule in table.rules for family in FAMILIES]


def verdict(table: Table, rule: Rule, family: str) -> Verdict:
    cells = {model: table.lecture[rule.title][model] for model, of in table.contenders.items() if of == family}
    measured = [model for model, cell in cells.items() if cell.figures]
    if not measured:
        return Verdict(rule.title, family, "", next(iter(cells.values())), {})
    best = min(measured, key=lambda model: standing(table, rule, model))
    others = {model: cells[model].shown for model in measured if model != best}
    return Verdict(rule.title, family, best, cells[best], others)


def standing(table: Table, rule: Rule, model: str) -> float:
    """Least of the model that does best in a question: by the rule's first figure, of its headline row."""
    row, column = speaks(table.rows, model), rule.columns[0]
    assert row is not None
    return row.figures[column.key].value * (-1 if column.better == "higher" else 1)


def verdict_grid(table: Table) -> Grid:
    """The nine cells as text, a line for each."""
    lines = [
        [
            one.question, FAMILIES[one.family], one.cell.lecture, one.cell.shown,
            f"{one.cell.source}: {one.cell.figure}" if one.model else "–",
            one.agree, ", ".join(f"{mark} {model}" for model, mark in one.others.items()) or "–",
        ]
        for one in verdicts(table)
    ]  # fmt: skip
    return [["question", "family", "lecture", "ours", "figure", "agree", "its other models"], *lines]
