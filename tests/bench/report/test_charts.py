"""The page's chart can be read back: dots, intervals and the line of real images invert to the table's figures."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.results.records import read_all
from bench.table.build import build


def scale(texts: list[Any], place: str, log: bool) -> Callable[[float], float]:
    """The inverse of an axis, from the places and the words of its first and its last tick alone."""
    known = [(float(text.attributes[place]), float(text.text.replace(",", ""))) for text in (texts[0], texts[-1])]
    (a, low), (b, high) = ((at, math.log(value) if log else value) for at, value in known)
    return lambda at: (math.exp if log else float)(low + (at - a) / (b - a) * (high - low))


@pytest.mark.parametrize(
    ("id", "place", "key", "log"),
    [("c0", "", "fid", True), ("c1", "grid_25", "high_quality", False), ("c3", "ring_8", "high_quality", False)],
)
@pytest.mark.parametrize("kind", ["wide", "narrow"])
def test_dots_and_intervals_and_baseline_invert_to_the_figures(
    id: str,
    place: str,
    key: str,
    log: bool,
    kind: str,
    example_results: Path,
    page_file: Path,
    parse: Callable[[str], Any],
) -> None:
    (section,) = parse(page_file.read_text()).all("section", id=id)
    (figure,) = section.all("figure", class_=kind)
    rows = build(read_all(example_results / place), example_results / place).rows
    x, y = scale(figure.all("text", class_="x"), "x", True), scale(figure.all("text", class_="y"), "y", log)
    shift = 12 * 0.35  # a tick's words stand below its line
    dots = figure.all("g", class_="dot")
    assert len(dots) == len(
        [row for row in rows if {key, "seconds_per_100"} <= row.figures.keys() and row.family != "data"]
    )
    for dot in dots:
        row = rows[int(dot.attributes["data-details"].removeprefix(f"{id}-row"))]
        across, down = re.findall(r"[-\d.]+", dot.attributes["transform"])
        assert x(float(across)) == pytest.approx(row.figures["seconds_per_100"].value, rel=0.01)
        assert y(float(down) + shift) == pytest.approx(row.figures[key].value, rel=0.01)
        (symbol,) = dot.all("path", class_="symbol")
        assert float(symbol.attributes["fill-opacity"]) == pytest.approx(row.figures["coverage"].value, abs=0.005)
        assert row.family in symbol.attributes["class"].split()
        assert dot.attributes["aria-label"].startswith(f"{row.name}: ")
        bars = [re.findall(r"[-\d.]+", bar.attributes["d"]) for bar in figure.all("path", class_="bar")]
        ends = next((float(end) for at, *rest, end in bars if len(rest) == 1 and at == across), None)
        if ends is not None and (interval := row.figures[key].interval):
            assert y(ends + shift) == pytest.approx(interval[1], rel=0.01)
    (baseline,) = figure.all("line", class_="baseline")
    held_out = next(row for row in rows if row.family == "data")
    assert y(float(baseline.attributes["y1"]) + shift) == pytest.approx(held_out.figures[key].value, rel=0.01)
