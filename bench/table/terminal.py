"""Print the table in a terminal."""

from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.table.agreement import TITLE, agreement_grid
from bench.table.answer import TITLE as QUESTION
from bench.table.answer import answer
from bench.table.build import Table
from bench.table.columns import NONE, Column
from bench.table.label_grids import label_grids
from bench.table.rows import Row
from bench.table.rules import UNSURE
from bench.table.sampler_curves import by_sweep
from bench.table.tasks import Line
from bench.table.text import OTHERS, Grid, caption, curves_grid, figures_grids, lecture_grid, others_grid, sections

NAME = 24  # characters that are reserved for a name
COLOURS = {"✓": "green", "×": "red", UNSURE: "yellow", NONE: "dim"}


def show(table: Table, console: Console) -> None:
    """Print the lecture's table with coloured marks, the nine cells, the transposed figures, and the tasks."""
    if table.stamp:
        console.print(f"[bold yellow]{table.stamp}[/]\n")
    console.print(marks_table("The lecture's table, measured", lecture_grid(table, "\n")))
    if table.others:
        console.print(marks_table(OTHERS, others_grid(table, "\n")))
    console.print(caption(table), style="dim", markup=False)
    console.print(f"\n[bold]{QUESTION}.[/] {answer(table)}\n")
    head, *lines = agreement_grid(table)
    for question in dict.fromkeys(line[0] for line in lines):
        cells = [line[1:] for line in lines if line[0] == question]
        console.print(text_table(f"{TITLE}: {question[0].lower()}{question[1:]}", [head[1:], *cells], justify="left"))
    for sweep, own in by_sweep(table.curves):
        console.print(text_table(sweep.title, curves_grid(sweep, own)))
    show_figures(table.rows, console, table.own)
    show_sections(table.lines, console)
    if table.beside:
        console.print(f"Measured on {table.beside}.", style="dim")


def marks_table(title: str, grid: Grid) -> RichTable:
    """Return lines of coloured marks with their figures."""
    block = RichTable(title=title, show_lines=True)
    head, *lines = grid
    widest = max((len(word) for line in lines for word in line[0].split()), default=0)
    block.add_column(head[0], overflow="fold", min_width=min(widest, NAME))
    for question in head[1:]:
        block.add_column(question, justify="center", overflow="fold")
    for name, *cells in lines:
        block.add_row(Text(name.replace(", ", ",\n")), *map(colour_mark, cells))
    return block


def colour_mark(cell: str) -> Text:
    """Colour a cell's mark, its first word."""
    mark = cell.split()[0]
    text = Text(cell)
    text.stylize(COLOURS[mark.strip("()")], 0, len(mark))
    return text


def show_figures(rows: Sequence[Row], console: Console, own: Sequence[Column] = ()) -> None:
    """Print a column for each row and a line for each figure, in as many tables as the width requires.

    own: the columns of metrics of the user's own.
    """
    for name, grid in [*figures_grids(rows, own), *label_grids(rows)]:
        for part in transpose(grid, console.width):
            console.print(text_table(name, part))


def show_sections(lines: Sequence[Line], console: Console) -> None:
    """Print the tasks beside sampling."""
    for section, grid in sections(lines):
        console.print(text_table(section.title, grid))


def text_table(title: str, grid: Grid, justify: Literal["left", "right"] = "right") -> RichTable:
    """Return a grid with its first line as heading, the first column to the left and the others by `justify`."""
    block = RichTable(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), min_width=len(title))
    for number, words in enumerate(grid[0]):
        block.add_column(words, justify=justify if number else "left", overflow="fold")
    for line in grid[1:]:
        block.add_row(*line)
    return block


def transpose(grid: Grid, width: int) -> list[Grid]:
    """Transpose a grid and cut it into parts within `width` characters; headings break at words."""
    names, *lines = ([cell.replace(", ", "\n") if i == 0 else cell for i, cell in enumerate(line)] for line in grid)
    names[0] = ""
    first = max(map(len, names)) + 1
    parts: list[Grid] = []
    room = 0
    for line in lines:
        line[0] = line[0].replace("-", "-\n").replace(" ", "\n")
        wide = 2 + max(len(word) for cell in line for word in cell.split("\n"))
        if wide > room:
            parts.append([names])
            room = width - first - 4
        parts[-1].append(line)
        room -= wide
    return [[list(line) for line in zip(*part, strict=True)] for part in parts]
