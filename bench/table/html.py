"""Render a Table as HTML for a notebook, which has its own style sheet for tables."""

from collections.abc import Sequence
from html import escape

from bench.table.agreement import TITLE, agreement_grid
from bench.table.answer import TITLE as QUESTION
from bench.table.answer import answer
from bench.table.build import Table
from bench.table.label_grids import label_grids
from bench.table.sampler_curves import by_sweep
from bench.table.text import OTHERS, caption, curves_grid, figures_grids, lecture_grid, others_grid, sections

BREAK = "\n"


def html(table: Table) -> str:
    """Return the grids of TABLE.md but for the bars' sensitivity, without what explains them; most are folded."""
    stamp = f"<p><b>{escape(table.stamp)}</b></p>" if table.stamp else ""
    others = block(OTHERS, others_grid(table, BREAK)) if table.others else ""
    words = f"<p><b>{escape(QUESTION)}.</b> {escape(answer(table))}</p><p><small>{escape(caption(table))}</small></p>"
    folded = [(TITLE, agreement_grid(table))]
    folded += [(sweep.title, curves_grid(sweep, own)) for sweep, own in by_sweep(table.curves)]
    folded += [*figures_grids(table.rows, table.own), *label_grids(table.rows)]
    folded += [(section.title, grid) for section, grid in sections(table.lines)]
    blocks = "".join(block(title, grid) for title, grid in folded)
    return f"{stamp}{html_grid(lecture_grid(table, BREAK))}{words}{others}{blocks}"


def block(title: str, grid: Sequence[Sequence[str]]) -> str:
    """Return a grid below its title, on which a click unfolds it."""
    return f"<details><summary>{escape(title)}</summary>{html_grid(grid)}</details>"


def html_grid(grid: Sequence[Sequence[str]]) -> str:
    """Return a grid of texts as a table; the first line and the first column are headings."""
    head, *lines = grid
    top = "".join(f'<th scope="col">{cell(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{cell(line[0])}</th>{"".join(f"<td>{cell(text)}</td>" for text in line[1:])}</tr>'
        for line in lines
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def cell(text: str) -> str:
    return escape(text).replace(BREAK, "<br>")
