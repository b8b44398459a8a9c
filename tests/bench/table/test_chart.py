"""No name of the chart covers another, families differ by shape, and the legend names what is drawn."""

import math
from itertools import combinations
from pathlib import Path

import pytest

from bench.plots.labels import WIDTH
from bench.results.records import read_all
from bench.table.build import Table, build
from bench.table.chart import LEGEND_SIZE, OTHER_SYMBOL, RIGHT, SYMBOLS, chart
from bench.table.rules import FAMILIES


def published(folder: Path) -> Table:
    return build(read_all(folder), folder)


@pytest.mark.parametrize("size", [(860, 470), (372, 440)])
@pytest.mark.parametrize("place", ["", "grid_25", "ring_8"])
def test_no_name_covers_another_or_a_dot_or_leaves_the_chart(
    size: tuple[int, int], place: str, example_results: Path
) -> None:
    made = chart(published(example_results / place), *size)
    assert made
    left, top, right, bottom = made.sides
    for a, b in combinations(made.dots, 2):
        assert a.label.box.shared(b.label.box) == 0, (a.name, b.name)
    for dot in made.dots:
        box = dot.label.box
        assert left <= box.left < box.right <= right
        assert top <= box.top < box.bottom <= bottom
        for other in made.dots:
            gap = math.hypot(
                max(box.left - other.x, 0, other.x - box.right), max(box.top - other.y, 0, other.y - box.bottom)
            )
            assert gap > 4, (dot.name, other.name)


@pytest.mark.parametrize("width", [860, 372])
def test_the_legend_names_every_family_that_is_drawn_and_no_entry_covers_another(
    width: int, example_results: Path
) -> None:
    table = published(example_results)
    made = chart(table, width, 440)
    assert made
    drawn = {dot.family: dot.symbol for dot in made.dots}
    assert {entry.kind: entry.symbol for entry in made.legend if entry.kind in drawn} == drawn
    baseline = next(row for row in table.rows if row.model == "held-out")
    kinds = [entry.kind for entry in made.legend if entry.kind not in drawn]
    assert kinds == ["coverage", "interval", "baseline"]
    assert made.legend[-1].text == f"{baseline.name} {baseline.figures['fid'].value:.2f}"
    ends = [entry.x + entry.indent + WIDTH * LEGEND_SIZE * len(entry.text) for entry in made.legend]
    assert max(ends) <= width - RIGHT + 8
    for (entry, after), end in zip(zip(made.legend, made.legend[1:], strict=False), ends, strict=False):
        assert after.y > entry.y or after.x > end
    assert max(entry.y for entry in made.legend) + LEGEND_SIZE / 2 < made.top


def test_the_lectures_families_have_shapes_of_their_own() -> None:
    assert set(FAMILIES) < set(SYMBOLS)
    assert len({*SYMBOLS.values(), OTHER_SYMBOL}) == len(SYMBOLS) + 1


def test_a_dot_says_its_family_and_one_without_coverage_is_in_the_legend(example_results: Path) -> None:
    table = published(example_results)
    gan = next(row for row in table.rows if row.family == "gan")
    del gan.figures["coverage"]
    made = chart(table, 860, 470)
    assert made
    (dot,) = (dot for dot in made.dots if dot.family == "gan")
    assert dot.coverage is None
    assert dot.description.startswith("gan: FID ")
    assert dot.description.endswith("; family GANs")
    assert "coverage not measured" in [entry.text for entry in made.legend]
