"""The table's blocks with what a page adds to their text: what a cell is sorted by, and where its details are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.columns import BLOCKS, UNSURE, Column
from bench.grids import contenders, figures_grids, heading, parts, sections
from bench.table import Table, first_with

SPOKEN = {"✓": ("yes", "yes"), "×": ("no", "no"), UNSURE: ("cannot be told", "unsure"), "–": ("not measured", "none")}
SEPARATOR = "\n"
ARROWS = {"lower": "lower is better", "higher": "higher is better", "": ""}


@dataclass(frozen=True)
class Heading:
    text: str
    better: str  # in words
    sorts: bool


@dataclass(frozen=True)
class Entry:
    """A cell: its text, its number at full precision if it has one, and the key of its details ("" without)."""

    text: str
    value: str = ""
    key: str = ""


@dataclass(frozen=True)
class Line:
    name: str
    family: str
    details: str  # which of the comparison's details
    entries: list[Entry]


@dataclass(frozen=True)
class Block:
    title: str
    about: str
    headings: list[Heading]
    lines: list[Line]


@dataclass(frozen=True)
class Mark:
    """A cell of the lecture's table. kind: a class of the style sheet; details, key: of the figure it was made from."""

    title: str  # of its column
    mark: str
    spoken: str
    kind: str
    figure: str
    beside: list[str]  # the row that the figure is of where the model has several, and the lecture's word
    agrees: bool | None
    details: str
    key: str


@dataclass(frozen=True)
class Judged:
    name: list[str]  # the family's, and the model's if one was measured
    family: str
    marks: list[Mark]


def lecture(table: Table) -> list[Judged]:
    """Block one, a line for each model."""
    made = []
    for name, (model, family) in zip(contenders(table, SEPARATOR), table.contenders.items(), strict=True):
        marks = []
        for rule in table.rules:
            cell = table.lecture[rule.title][model]
            row = first_with(table.rows, model, rule.key)
            details = f"row{next(k for k, one in enumerate(table.rows) if one is row)}" if row else ""
            spoken, kind = SPOKEN[cell.mark]
            marks.append(
                Mark(
                    rule.title,
                    cell.mark,
                    spoken,
                    kind,
                    cell.figure,
                    parts(cell, model)[1:],
                    cell.agrees,
                    details,
                    rule.key,
                )
            )
        made.append(Judged(name.split(SEPARATOR), family, marks))
    return made


def blocks(table: Table) -> list[Block]:
    """Block two."""
    made = []
    for title, grid in figures_grids(table.rows):
        columns = [column for column in BLOCKS[title] if heading(column) in grid[0]]
        rows = [(k, row) for k, row in enumerate(table.rows) if any(column.key in row.figures for column in columns)]
        lines = [
            Line(name, row.family, f"row{k}", entries(columns, cells, row.figures, ""))
            for (k, row), (name, *cells) in zip(rows, grid[1:], strict=True)
        ]
        made.append(Block(title, "", headings(grid[0], columns), lines))
    return [block for block in made if block.lines]


def beside(table: Table) -> list[Block]:
    """Block three."""
    made = []
    for section, grid in sections(table.lines):
        chosen = [(k, line) for k, line in enumerate(table.lines) if line.section == section.key]
        lines = [
            Line(name, line.family, f"line{k}", entries(section.columns, cells, line.figures, f"{section.key}."))
            for (k, line), (name, *cells) in zip(chosen, grid[1:], strict=True)
        ]
        made.append(Block(section.title, section.about + ".", headings(grid[0], section.columns), lines))
    return made


def headings(texts: Sequence[str], columns: Sequence[Column]) -> list[Heading]:
    """The first one names the lines; one beyond the columns is a text that nothing is sorted by."""
    known = [Heading(text, ARROWS[column.better], True) for text, column in zip(texts[1:], columns, strict=False)]
    return [Heading(texts[0], "", True), *known, *(Heading(text, "", False) for text in texts[1 + len(known) :])]


def entries(columns: Sequence[Column], texts: Sequence[str], figures: dict[str, float], prefix: str) -> list[Entry]:
    """The cells of a line; what nothing measured has no value and no details."""
    made = []
    for column, text in zip(columns, texts, strict=False):
        value = figures.get(column.key)
        if value is None:
            made.append(Entry(text))
        else:
            made.append(Entry(text, repr(value) if math.isfinite(value) else "", prefix + column.key))
    return made + [Entry(text) for text in texts[len(columns) :]]
