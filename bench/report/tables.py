"""The table's blocks for the page, with the sort values of the cells and the keys of their details."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.table.build import Cell, Table
from bench.table.columns import NONE, Column, blocks_of
from bench.table.figure import Figures
from bench.table.label_grids import label_grids
from bench.table.rules import UNSURE
from bench.table.text import contenders, figures_grids, heading, parts, row_label, sections

SPEECH = {"✓": ("yes", "yes"), "×": ("no", "no"), UNSURE: ("undecided", "unsure"), NONE: ("no mark", "none")}
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
    """A cell of the lecture's table. kind: a class of the style sheet; details: those of its row."""

    title: str  # of its column
    mark: str
    speech: str
    kind: str
    figures: dict[str, str]  # key -> text
    notes: list[str]  # the comparison with the lecture
    agrees: bool | None
    details: str


@dataclass(frozen=True)
class MarkRow:
    name: list[str]  # the family's, and the model's if one was measured
    family: str
    marks: list[Mark]


def lecture(table: Table) -> list[MarkRow]:
    """Return the marks, a line for each model."""
    names = zip(contenders(table, SEPARATOR), table.contenders.items(), strict=True)
    return [MarkRow(name.split(SEPARATOR), family, marks(table, model)) for name, (model, family) in names]


def other_sampler_rows(table: Table) -> list[MarkRow]:
    """Return a line for each row of the models' other samplers."""
    return [MarkRow([name], family, marks(table, name)) for name, family in table.others.items()]


def marks(table: Table, name: str) -> list[Mark]:
    """Return the marks of a line, each with the key of its details."""
    places = {row.name: f"row{k}" for k, row in reversed(list(enumerate(table.rows)))}  # the first of a name
    return [mark(title, cells[name], places) for title, cells in table.lecture.items()]


def mark(title: str, cell: Cell, places: dict[str, str]) -> Mark:
    speech, kind = SPEECH[cell.mark]
    return Mark(
        title=title,
        mark=cell.label,
        speech=f"{speech}, from one seed" if cell.label != cell.mark else speech,
        kind=kind,
        figures=cell.figures,
        notes=parts(cell)[1:],
        agrees=cell.agrees,
        details=places[cell.source] if cell.figures else "",
    )


def blocks(table: Table) -> list[Block]:
    """Return the tables of figures."""
    result = []
    for title, grid in figures_grids(table.rows, table.own):
        columns = [column for column in blocks_of(table.own)[title] if heading(column) in grid[0]]
        rows = [(k, row) for k, row in enumerate(table.rows) if any(column.key in row.figures for column in columns)]
        lines = [
            Line(name, row.family, f"row{k}", entries(columns, cells, row.figures, ""))
            for (k, row), (name, *cells) in zip(rows, grid[1:], strict=True)
        ]
        result.append(Block(title, "", headings(grid[0], columns), lines))
    return [*result, *label_blocks(table)]


def label_blocks(table: Table) -> list[Block]:
    """Return the tables of figures of a label at a time; their cells have no details."""
    places = {row_label(row): (k, row.family) for k, row in reversed(list(enumerate(table.rows)))}
    result = []
    for title, (head, *cells) in label_grids(table.rows):
        lines = [
            Line(name, places[name][1], f"row{places[name][0]}", [Entry(text) for text in texts])
            for name, *texts in cells
        ]
        result.append(Block(title, "", [Heading(text, "", False) for text in head], lines))
    return result


def task_blocks(table: Table) -> list[Block]:
    """Return the tables of the tasks beside sampling."""
    result = []
    for section, grid in sections(table.lines):
        section_lines = [(k, line) for k, line in enumerate(table.lines) if line.section == section.key]
        lines = [
            Line(name, line.family, f"line{k}", entries(section.columns, cells, line.figures, f"{section.key}."))
            for (k, line), (name, *cells) in zip(section_lines, grid[1:], strict=True)
        ]
        result.append(Block(section.title, section.about + ".", headings(grid[0], section.columns), lines))
    return result


def headings(texts: Sequence[str], columns: Sequence[Column]) -> list[Heading]:
    """Return the headings; the first names the lines, and one beyond the columns is a text without sorting."""
    sortable = [Heading(text, ARROWS[column.better], True) for text, column in zip(texts[1:], columns, strict=False)]
    return [Heading(texts[0], "", True), *sortable, *(Heading(text, "", False) for text in texts[1 + len(sortable) :])]


def entries(columns: Sequence[Column], texts: Sequence[str], figures: Figures, prefix: str) -> list[Entry]:
    """Return the cells of a line; one without a figure has no value and no details."""
    result = []
    for column, text in zip(columns, texts, strict=False):
        if column.key not in figures:
            result.append(Entry(text))
        else:
            value = figures[column.key].value
            result.append(Entry(text, repr(value) if math.isfinite(value) else "", prefix + column.key))
    return result + [Entry(text) for text in texts[len(columns) :]]
