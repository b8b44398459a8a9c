"""Tables for a person at a terminal."""

from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.table.agreement import TITLE, verdict_grid
from bench.table.build import Table
from bench.table.columns import NONE
from bench.table.rows import Row
from bench.table.rules import UNSURE
from bench.table.tasks import Line
from bench.table.text import OTHERS, Grid, caption, figures_grids, lecture_grid, others_grid, sections

NAME = 24  # columns of a name that are kept for it, whatever stands beside it
COLOURS = {"✓": "green", "×": "red", UNSURE: "yellow", NONE: "dim"}


def show(table: Table, console: Console) -> None:
    """Print the blocks: the lecture's with coloured marks, the figures turned, what stands beside them."""
    if table.stamp:
        console.print(f"[bold yellow]{table.stamp}[/]\n")
    console.print(marked("The lecture's table, measured", lecture_grid(table, "\n")))
    if table.others:
        console.print(marked(OTHERS, others_grid(table, "\n")))
    console.print(caption(table), style="dim", markup=False)
    head, *lines = verdict_grid(table)
    for question in dict.fromkeys(line[0] for line in lines):
        asked = [line[1:] for line in lines if line[0] == question]
        console.print(listed(f"{TITLE}: {question[0].lower()}{question[1:]}", [head[1:], *asked], justify="left"))
    show_figures(table.rows, console)
    show_sections(table.lines, console)
    if table.beside:
        console.print(f"Measured on {table.beside}.", style="dim")


def marked(title: str, grid: Grid) -> RichTable:
    """Lines of marks, each in its colour, with what they were made from."""
    block = RichTable(title=title, show_lines=True)
    head, *lines = grid
    widest = max((len(word) for line in lines for word in line[0].split()), default=0)
    block.add_column(head[0], overflow="fold", min_width=min(widest, NAME))
    for question in head[1:]:
        block.add_column(question, justify="center", overflow="fold")
    for name, *cells in lines:
        block.add_row(Text(name.replace(", ", ",\n")), *map(coloured, cells))
    return block


def coloured(cell: str) -> Text:
    """A cell whose mark, the first word, has its colour."""
    mark = cell.split()[0]
    text = Text(cell)
    text.stylize(COLOURS[mark.strip("()")], 0, len(mark))
    return text


def show_figures(rows: Sequence[Row], console: Console) -> None:
    """Block two, a column for each row and a line for each figure; as many tables as the width asks for."""
    for name, grid in figures_grids(rows):
        for part in turned(grid, console.width):
            console.print(listed(name, part))


def show_sections(lines: Sequence[Line], console: Console) -> None:
    """Block three."""
    for section, grid in sections(lines):
        console.print(listed(section.title, grid))


def listed(title: str, grid: Grid, justify: Literal["left", "right"] = "right") -> RichTable:
    """A grid with its first line as heading, the first column to the left and the others as `justify` says."""
    block = RichTable(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), min_width=len(title))
    for number, words in enumerate(grid[0]):
        block.add_column(words, justify=justify if number else "left", overflow="fold")
    for line in grid[1:]:
        block.add_row(*line)
    return block


def turned(grid: Grid, width: int) -> list[Grid]:
    """A grid with lines for columns, cut into as many as keep within `width` characters; headings break at words."""
    names, *lines = ([cell.replace(", ", "\n") if i == 0 else cell for i, cell in enumerate(line)] for line in grid)
    names[0] = ""
    first = max(map(len, names)) + 1
    made: list[Grid] = []
    room = 0
    for line in lines:
        line[0] = line[0].replace("-", "-\n").replace(" ", "\n")
        wide = 2 + max(len(word) for cell in line for word in cell.split("\n"))
        if wide > room:
            made.append([names])
            room = width - first - 4
        made[-1].append(line)
        room -= wide
    return [[list(line) for line in zip(*part, strict=True)] for part in made]
