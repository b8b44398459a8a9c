"""A figure's details name the runs, protocols and figures that it is the mean of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.evaluation.protocol import Protocol
from bench.report.collect import collect
from bench.report.page import render
from bench.results.records import read_all
from bench.table.build import build
from bench.table.figure import Figures

PLACES = {"c0": "", "c1": "grid_25", "c2": "latent-plane", "c3": "ring_8"}


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
