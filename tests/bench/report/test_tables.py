"""What the page shows in its tables and details is what the tables of the records hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.results.records import read_all
from bench.table.build import Table, build
from bench.table.columns import COLUMNS, SECTIONS
from bench.table.text import caption, parts, row_label

PLACES = {"c0": "", "c1": "grid_25", "c2": "latent-plane", "c3": "ring_8"}


@pytest.fixture(scope="module")
def document(page_file: Path, parse: Callable[[str], Any]) -> Any:
    return parse(page_file.read_text())


def table_of(folder: Path) -> Table:
    return build(read_all(folder), folder)


def part(document: Any, id: str) -> Any:
    (found,) = document.all("section", id=id)
    return found


@pytest.mark.parametrize("id", PLACES)
def test_every_figure_is_the_tables_as_shown_and_at_full_precision(
    example_results: Path, id: str, document: Any
) -> None:
    table, here = table_of(example_results / PLACES[id]), part(document, id)
    expected = {
        (f"{id}-row{k}", column.key): (
            column.show(row.figures[column.key]), row.figures[column.key].value
        )
        for k, row in enumerate(table.rows) for column in COLUMNS if column.key in row.figures
    }  # fmt: skip
    expected |= {
        (f"{id}-line{k}", f"{section.key}.{column.key}"): (
            column.show(line.figures[column.key]), line.figures[column.key].value
        )
        for k, line in enumerate(table.lines) for section in SECTIONS if section.key == line.section
        for column in section.columns if column.key in line.figures
    }  # fmt: skip
    found = {
        (button.attributes["data-details"], button.attributes["data-key"]): (
            button.text, float(cell.attributes["data-value"])
        )
        for cell in here.all("td") if "data-value" in cell.attributes for button in cell.all("button")
    }  # fmt: skip
    assert found == expected
    assert len(found) > 20


@pytest.mark.parametrize("id", PLACES)
def test_rows_stand_in_the_tables_order_under_the_tables_names(example_results: Path, id: str, document: Any) -> None:
    block = part(document, id).all("table", class_="figures")[0]
    (body,) = block.all("tbody")
    rows = [row for row in table_of(example_results / PLACES[id]).rows if "precision" in row.figures]
    assert [line.all("th")[0].text for line in body.all("tr")] == [row_label(row) for row in rows]
    assert [line.attributes["data-family"] for line in body.all("tr")] == [row.family for row in rows]


@pytest.mark.parametrize("id", PLACES)
def test_every_mark_is_the_tables_with_its_word_for_readers_and_the_lectures(
    example_results: Path, id: str, document: Any
) -> None:
    table, here = table_of(example_results / PLACES[id]), part(document, id)
    (block,) = here.all("table", class_="lecture")
    lines = [line for line in block.all("tr") if line.all("td")]
    spoken = {"✓": "yes", "×": "no", "≈": "undecided", "–": "no mark"}
    for line, model in zip(lines, [*table.contenders, *table.others], strict=True):
        for cell, judged in zip(line.all("td"), (cells[model] for cells in table.lecture.values()), strict=True):
            assert cell.all("span", class_="mark")[0].text == judged.label
            once = ", from one seed" if judged.label != judged.mark else ""
            assert cell.all("span", class_="spoken")[0].text == spoken[judged.mark] + once
            said = [words.text for words in cell.all("span", class_="comparison-with-lecture")]
            assert said == parts(judged)[1:]
            assert [button.text for button in cell.all("button")] == list(judged.figures.values())
    assert here.all("p", class_="caption")[0].text == caption(table)


def test_a_marks_button_leads_to_the_figure_that_the_mark_was_made_of(example_results: Path, document: Any) -> None:
    here, table = part(document, "c0"), table_of(example_results)
    (block,) = here.all("table", class_="lecture")
    for button in block.all("button"):
        row = table.rows[int(button.attributes["data-details"].removeprefix("c0-row"))]
        column = next(one for one in COLUMNS if one.key == button.attributes["data-key"])
        assert button.text.endswith(column.show(row.figures[column.key]))
