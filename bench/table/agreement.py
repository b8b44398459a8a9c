"""The lecture's nine cells: for each criterion and family the lecture's mark, our mark, and whether they agree.

A family is represented by its best model for the criterion. The marks of its other models are given as well, because
no single model of a family need have all its ticks.
"""

from dataclasses import dataclass

from bench.table.build import Cell, Table, headline_row
from bench.table.columns import NONE
from bench.table.rules import FAMILIES, Rule
from bench.table.text import Grid

TITLE = "The lecture's nine cells"
ABOUT = (
    "Each family is represented by its best model for the criterion, by that model's headline row; its other models' "
    "marks follow"
)
WORDS = {True: "yes", False: "no", None: "undecided"}
ONE_SEED = "one seed"


@dataclass(frozen=True)
class Agreement:
    question: str
    family: str
    model: str  # the family's best; "" where none was measured
    cell: Cell
    others: dict[str, str]  # the family's other models -> their marks

    @property
    def agree(self) -> str:
        if self.cell.mark == NONE:
            return "no bar" if self.cell.figures else "not measured"
        return ONE_SEED if self.cell.one_seed else WORDS[self.cell.agrees]


def agreements(table: Table) -> list[Agreement]:
    """Return the agreement of each of the table's criteria and each family of the lecture."""
    return [agreement(table, rule, family) for rule in table.rules for family in FAMILIES]


def agreement(table: Table, rule: Rule, family: str) -> Agreement:
    cells = {
        model: table.lecture[rule.title][model]
        for model, family_of_model in table.contenders.items()
        if family_of_model == family
    }
    models = [model for model, cell in cells.items() if cell.figures]
    if not models:
        return Agreement(rule.title, family, "", next(iter(cells.values())), {})
    best = min(models, key=lambda model: standing(table, rule, model))
    others = {model: cells[model].label for model in models if model != best}
    return Agreement(rule.title, family, best, cells[best], others)


def standing(table: Table, rule: Rule, model: str) -> float:
    """Return a key that is smallest for the best model: the rule's first figure of its headline row."""
    row, column = headline_row(table.rows, model), rule.columns[0]
    assert row is not None
    return row.figures[column.key].value * (-1 if column.better == "higher" else 1)


def agreement_grid(table: Table) -> Grid:
    """Return the nine cells as text, a line for each."""
    lines = [
        [
            entry.question, FAMILIES[entry.family], entry.cell.lecture, entry.cell.label,
            f"{entry.cell.source}: {entry.cell.figure}" if entry.model else "–",
            entry.agree, ", ".join(f"{mark} {model}" for model, mark in entry.others.items()) or "–",
        ]
        for entry in agreements(table)
    ]  # fmt: skip
    return [["criterion", "family", "lecture", "measured", "figure", "agreement", "other models"], *lines]
