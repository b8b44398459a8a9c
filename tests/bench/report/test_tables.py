"""What the page shows in its tables and details is what the tables of the records hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.evaluation.protocol import Protocol
from bench.report.collect import collect
from bench.report.page import render
from bench.results.records import read_all
from bench.table.build import Table, build
from bench.table.columns import COLUMNS, SECTIONS
from bench.table.figure import Figures
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


def figure(document: Any, details: str, key: str) -> list[Any]:
    return [
        cell
        for cell in document.all("td")
        if cell.all("button", class_="figure", data_details=details, data_key=key) and "data-value" in cell.attributes
    ]


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


def details(text: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    (data,) = parse(text).all("script", id="data")
    return json.loads("".join(data.children))


def test_details_name_run_protocol_and_figures_of_every_seed(
    results: Path, change: Callable[..., str], parse: Callable[[str], Any]
) -> None:
    def reseeded(seed: int) -> Callable[[dict[str, Any]], None]:
        def edit(record: dict[str, Any]) -> None:
            record["config"]["seed"] = seed
            for result in record["results"].values():
                result["metrics"]["fid"] += seed

        return edit  # fmt: skip

    runs = ["gan-mnist-0-00000000"]
    runs += [change(f"{runs[0]}.json", f"gan-mnist-{seed}-00000000", reseeded(seed)) for seed in (1, 2)]
    text = render(results)
    table = build(read_all(results), results)
    number = next(k for k, row in enumerate(table.rows) if row.model == "gan")
    data = details(text, parse)
    told = data["details"][f"c0-row{number}"]
    assert table.rows[number].seeds == 3
    fid = table.rows[number].figures["fid"]
    assert float(told["figures"]["fid"]) == fid.value
    assert tuple(map(float, told["intervals"]["fid"].split(" – "))) == fid.interval
    assert told["over"] == "over 3 training seeds"
    assert [source["run"] for source in told["from"]] == sorted(runs)
    first = float(told["from"][0]["figures"]["fid"])
    assert [float(source["figures"]["fid"]) for source in told["from"]] == [first, first + 1, first + 2]
    for source in told["from"]:
        assert data["runs"][source["run"]]
        assert source["protocol"] in data["protocols"]
    assert f"gan ({3} seeds)" in text


def test_each_protocol_is_told_field_by_field_under_its_own_fingerprint(
    example_results: Path, page_file: Path, parse: Callable[[str], Any]
) -> None:
    data = details(page_file.read_text(), parse)
    known = {}
    for place in PLACES.values():
        for record in read_all(example_results / place):
            for result in record.results.values():
                protocol = Protocol.from_dict(result.protocol)
                known[protocol.fingerprint()] = protocol
    for fingerprint, protocol in known.items():
        told = dict(data["protocols"][fingerprint])
        assert told["in words"] == protocol.line()
        assert told["extractor digest"] == protocol.extractor_digest
        assert set(told) - {"in words"} == {name.replace("_", " ") for name in protocol.to_dict()}


def test_every_line_of_every_table_has_sources_for_each_of_its_figures(example_results: Path) -> None:
    from bench.report.details import result_rows, sources_of_line, sources_of_row

    for comparison in collect(example_results).comparisons:
        assert comparison.table
        each = result_rows(comparison)
        for row in comparison.table.rows:
            found = sources_of_row(row, each)
            assert len(found) == row.seeds
            assert found[0].figures == row.figures
        for line in comparison.table.lines:
            merged: Figures = {}
            for source in sources_of_line(line, comparison):
                merged |= source.figures
            assert merged == line.figures
