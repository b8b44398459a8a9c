"""A Table -> its blocks as grids of text, the first line of each the headings."""

from collections.abc import Sequence

from bench.abilities import TERM
from bench.columns import BLOCKS, FAMILIES, SECTIONS, UNSURE, Column, Section
from bench.table import Cell, Row, Table
from bench.third_block import Line

Grid = list[list[str]]


def heading(column: Column) -> str:
    """A column's heading with an arrow that points where better lies."""
    return column.heading + {"lower": " ↓", "higher": " ↑", "": ""}[column.better]


def caption(table: Table) -> str:
    """What the marks mean and what the figures depend on."""
    rules = "; ".join(rule.text[0].lower() + rule.text[1:] for rule in table.rules)
    several = any(row.seeds > 1 for row in table.rows)
    over = "over training seeds where a row has several, otherwise over samples" if several else "over samples"
    doubts = "".join(f" † {row.name}: {'; '.join(row.flags)}." for row in table.rows if row.flags)
    left_out = f" Left out, because measured otherwise: {'; '.join(table.left_out)}." if table.left_out else ""
    failed = f" Diverged, so without figures: {'; '.join(table.failed)}." if table.failed else ""
    protocol = table.protocol[0].upper() + table.protocol[1:]
    return (
        f"Marks by rule: {rules}; {UNSURE} where the 95% intervals do not tell the figure from that bound. Where a "
        "model has several rows, a mark comes from the one named in its cell: that of most steps that has the figure. "
        f"± is half a 95% interval {over}; figures without it are taken as they are. {protocol}. Timings on "
        f"{table.hardware}.{doubts}{left_out}{failed}"
    )


def parts(cell: Cell, model: str) -> list[str]:
    """What a model's cell says: mark and figure, the row they come from where it has several, the lecture's word."""
    if not cell.figure:
        return [cell.mark]
    lecture = "as in the lecture" if cell.agrees else f"the lecture: {cell.lecture}"
    return [f"{cell.mark} {cell.figure}", *([] if cell.source == model else [cell.source]), lecture]


def lecture_grid(table: Table, separator: str) -> Grid:
    """Block one as text, the lecture's rows as columns: a line for each model, the parts of its cells joined."""
    lines = [
        [name, *(separator.join(parts(cells[model], model)) for cells in table.lecture.values())]
        for name, model in zip(contenders(table, separator), table.contenders, strict=True)
    ]
    return [["", *table.lecture], *lines]


def contenders(table: Table, separator: str) -> list[str]:
    """Each model under the lecture's name for its family."""
    measured = {row.model for row in table.rows}
    return [
        FAMILIES[family] + (f"{separator}{model}" if model in measured else "")
        for model, family in table.contenders.items()
    ]


def figures_grids(rows: Sequence[Row]) -> list[tuple[str, Grid]]:
    """Block two as text: a line for each row of figures, in grids of the columns that any row fills."""
    grids = []
    for title, columns in BLOCKS.items():
        filled = [column for column in columns if any(column.key in row.figures for row in rows)]
        grid = [["model, sampler", *map(heading, filled)]]
        for row in rows:
            if any(column.key in row.figures for column in filled):
                shown = [column.show(row.figures.get(column.key), row.intervals.get(column.key)) for column in filled]
                grid.append([called(row), *shown])
        grids.append((title, grid))
    return grids


def called(row: Row) -> str:
    """A row's name, with its number of seeds and a dagger where its figures are doubtful."""
    return row.name + (f" ({row.seeds} seeds)" if row.seeds > 1 else "") + (" †" if row.flags else "")


def section_grid(section: Section, lines: Sequence[Line]) -> Grid:
    """A part of block three as text, with the terms of a bound in a last column; only its heading where it is empty."""
    chosen = [line for line in lines if line.section == section.key]
    grid = [[section.first, *map(heading, section.columns)]]
    for line in chosen:
        shown = [
            column.show(line.figures.get(column.key), line.intervals.get(column.key)) for column in section.columns
        ]
        grid.append([line.name + (f" ({line.seeds} seeds)" if line.seeds > 1 else ""), *shown])
    terms = [
        " + ".join(
            f"{key.removeprefix(TERM)} {value:.4f}" for key, value in line.figures.items() if key.startswith(TERM)
        )
        for line in chosen
    ]
    return [[*line, term] for line, term in zip(grid, ["of which", *terms], strict=True)] if any(terms) else grid


def sections(lines: Sequence[Line]) -> list[tuple[Section, Grid]]:
    """The parts of block three that have lines."""
    grids = ((section, section_grid(section, lines)) for section in SECTIONS)
    return [(section, grid) for section, grid in grids if len(grid) > 1]
