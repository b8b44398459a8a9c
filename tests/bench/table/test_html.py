"""The HTML of a table has every cell of its grids, escaped."""

import xml.etree.ElementTree as ET
from pathlib import Path

from bench.table.build import build
from bench.table.html import html, html_grid
from bench.table.text import figures_grids, lecture_grid, sections
from tests.bench.records import skilled

GRID = [["a", "b & c"], ["x < y", "1\n2"]]


def texts(markup: str) -> list[list[list[str]]]:
    """The cells of every table, their lines joined by spaces."""
    root = ET.fromstring(f"<div>{markup.replace('<br>', ' ')}</div>")
    return [[["".join(cell.itertext()) for cell in line] for line in table.iter("tr")] for table in root.iter("table")]


def test_a_grid_keeps_its_texts() -> None:
    assert texts(html_grid(GRID)) == [[["a", "b & c"], ["x < y", "1 2"]]]
    assert html_grid(GRID).count('<th scope="row">') == 1


def test_a_table_has_the_grids_of_the_other_forms() -> None:
    table = build(skilled(), Path("results"))
    tables = texts(html(table))
    assert tables[0] == lecture_grid(table, " ")
    for _, grid in [*figures_grids(table.rows), *sections(table.lines)]:
        assert grid in tables
