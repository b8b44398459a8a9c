"""Convert the figures of a label at a time to grids of text: a grid for each figure, a column for each label."""

from collections.abc import Sequence

from bench.table.columns import BY_KEY
from bench.table.rows import Row
from bench.table.text import Grid, heading, row_label

FIGURES = ("class_accuracy", "fid", "precision", "recall", "coverage")  # the keys of by_class in records


def label_grids(rows: Sequence[Row]) -> list[tuple[str, Grid]]:
    """Return the figures that the rows have of each label's samples, each with its title."""
    columns = [BY_KEY[key] for key in FIGURES]
    grids = []
    for column in columns:
        lines = [
            [row_label(row), *(column.show(figures.get(column.key)) for figures in row.by_label)]
            for row in rows
            if any(column.key in figures for figures in row.by_label)
        ]
        if lines:
            labels = max(map(len, lines)) - 1
            cells = [[*line, *[""] * (1 + labels - len(line))] for line in lines]
            title = f"{heading(column)}, a label at a time"
            grids.append((title, [["model, sampler", *map(str, range(labels))], *cells]))
    return grids
