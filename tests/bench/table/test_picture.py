"""TABLE.png is the page's chart in light colours, reproducible, and known by what it was made from."""

import io
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageFont

from bench.plots.labels import WIDTH as CHARACTER
from bench.results.records import read_all
from bench.table.build import Table, build
from bench.table.chart import GAP, LEGEND_SIZE, SIZE, chart
from bench.table.picture import (
    FONT_FILE,
    HEIGHT,
    WIDTH,
    ZOOM,
    environment,
    is_rendered_from,
    light,
    png,
    source,
    speed_svg,
)  # fmt: skip


@pytest.fixture(scope="module")
def table(example_results: Path) -> Table:
    return build(read_all(example_results), example_results)


def test_equal_tables_give_equal_bytes_and_the_file_knows_its_table(table: Table, tmp_path: Path) -> None:
    made = png(speed_svg(table))
    assert png(speed_svg(table)) == made
    file = tmp_path / "TABLE.png"
    file.write_bytes(made)
    assert is_rendered_from(file, speed_svg(table))
    assert not is_rendered_from(file, speed_svg(replace(table, stamp="smoke run")))
    for damaged in (b"", b"no picture", made[:100]):
        file.write_bytes(damaged)
        assert not is_rendered_from(file, speed_svg(table))


def test_the_picture_shows_the_colours_of_the_three_families_on_light_paper(table: Table) -> None:
    with Image.open(io.BytesIO(png(speed_svg(table)))) as picture:
        assert picture.size == (ZOOM * WIDTH, ZOOM * (HEIGHT + 36))
        pixels = np.asarray(picture.convert("RGB"))
    colours = {"#{:02x}{:02x}{:02x}".format(*colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}
    corner = "#{:02x}{:02x}{:02x}".format(*pixels[0, 0])
    values = dict(re.findall(r"--([\w-]+): light-dark\((.+?),", source(environment("bench.table"), "chart.css")))
    assert corner == values["paper"]
    assert {values[name] for name in ("autoregressive-vae", "gan", "diffusion", "ink", "dim")} <= colours


def test_the_svg_has_the_dots_of_the_chart_and_nothing_that_resvg_does_not_know(table: Table) -> None:
    drawing = speed_svg(table)
    root = ElementTree.fromstring(drawing)
    made = chart(table, WIDTH, HEIGHT)
    assert made
    dots = [one for one in root.iter() if one.get("class") == "dot"]
    assert [one.get("aria-label") for one in dots] == [dot.description for dot in made.dots]
    assert not re.search(r"var\(|light-dark|:root", drawing)


def test_a_table_without_a_dot_has_a_picture_that_says_so(table: Table) -> None:
    bare = replace(table, rows=[row for row in table.rows if row.family == "data"])
    assert "No model has both a quality and a time." in speed_svg(bare)
    assert png(speed_svg(bare)).startswith(b"\x89PNG")


def test_light_takes_the_first_of_each_pair_and_puts_values_in() -> None:
    assert light(":root {\n  --a: light-dark(#111, #222);\n}\np { fill: var(--a); }").strip() == "p { fill: #111; }"


def test_texts_are_no_wider_in_the_pictures_font_than_the_room_kept_for_them(table: Table) -> None:
    matplotlib = find_spec("matplotlib")
    assert matplotlib
    assert matplotlib.origin
    font = ImageFont.truetype(Path(matplotlib.origin).parent / FONT_FILE, 100)
    made = chart(table, WIDTH, HEIGHT)
    assert made
    texts = [(dot.name, SIZE, 3.0) for dot in made.dots]
    texts += [(entry.text, LEGEND_SIZE, GAP / 2) for entry in made.legend]
    for text, size, spare in texts:
        assert font.getlength(text) * size / 100 <= CHARACTER * size * len(text) + spare, text
