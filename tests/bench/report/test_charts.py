"""What is drawn can be read back: places invert to figures, ticks are round, no spike is lost, no name is covered."""

import math
import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.report.axes import Axis, label, linear_ticks, log_ticks, spanning
from bench.report.curves import panel, thinned
from bench.report.scatter import VIRIDIS, chart, colour
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
def test_dots_and_intervals_and_floor_invert_to_the_figures(
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
        (circle,) = dot.all("circle")
        assert x(float(circle.attributes["cx"])) == pytest.approx(row.figures["seconds_per_100"].value, rel=0.01)
        assert y(float(circle.attributes["cy"]) + shift) == pytest.approx(row.figures[key].value, rel=0.01)
        assert circle.attributes["fill"] == colour(row.figures["coverage"].value)
        assert dot.attributes["aria-label"].startswith(f"{row.name}: ")
        bars = [re.findall(r"[-\d.]+", bar.attributes["d"]) for bar in figure.all("path", class_="bar")]
        ends = next((float(end) for at, *rest, end in bars if len(rest) == 1 and at == circle.attributes["cx"]), None)
        if ends is not None and (interval := row.figures[key].interval):
            assert y(ends + shift) == pytest.approx(interval[1], rel=0.01)
    (floor,) = figure.all("line", class_="floor")
    held_out = next(row for row in rows if row.family == "data")
    assert y(float(floor.attributes["y1"]) + shift) == pytest.approx(held_out.figures[key].value, rel=0.01)


@pytest.mark.parametrize("size", [(860, 470), (372, 440)])
@pytest.mark.parametrize("place", ["", "grid_25", "ring_8"])
def test_no_name_covers_another_or_a_dot_or_leaves_the_chart(
    size: tuple[int, int], place: str, example_results: Path
) -> None:
    made = chart(build(read_all(example_results / place), example_results / place), *size)
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


@pytest.mark.parametrize(
    ("low", "high"), [(0.0001, 30), (0.13, 11), (0.9, 1.1), (3, 4), (1e-9, 1e9), (0.5, 60), (14, 21)]
)
def test_logarithmic_ticks_are_round_within_and_neither_few_nor_many(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert ticks == sorted(ticks)
    assert all(low <= tick <= high for tick in ticks)
    assert 2 <= len(ticks) <= 9
    for tick in ticks:
        assert float(f"{tick:.3g}") == pytest.approx(tick, rel=1e-12)
        assert float(label(tick).replace(",", "")) == pytest.approx(tick, rel=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0, 140000), (-3.2, 11), (0.349, 0.989), (1e-7, 2e-7)])
def test_linear_ticks_are_even_and_round(low: float, high: float) -> None:
    ticks = linear_ticks(low, high)
    steps = [b - a for a, b in pairwise(ticks)]
    assert 2 <= len(ticks) <= 7
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert f"{steps[0]:.0e}"[0] in "125"


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("values", [[2.0], [0.5, 0.5], [1.0, 3.0, 70.0]])
def test_an_axis_holds_its_values_and_ends_outside_at_its_ends(values: list[float], log: bool) -> None:
    axis = spanning(values, 300, 20, log=log)
    assert all(20 < axis.at(value) < 300 for value in values)
    assert axis.at(axis.low) == pytest.approx(300)
    assert axis.at(axis.high) == pytest.approx(20)
    assert axis.at(axis.high * 10) == pytest.approx(20)
    assert axis.at(-1e9) == pytest.approx(300)


@pytest.mark.parametrize("count", [1, 7, 280, 281, 5000])
def test_thinning_keeps_every_part_of_a_curves_least_and_greatest_value_and_its_ends(count: int) -> None:
    buckets = 140
    points = [(float(k), math.sin(k * 12.9898) * 43758.5453 % 1) for k in range(count)]
    points[count // 2] = (float(count // 2), 1000.0)
    kept = thinned(points, buckets)
    assert kept == sorted(kept)
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert len(kept) <= 2 * buckets + 2
    assert (float(count // 2), 1000.0) in kept
    if count <= 2 * buckets:
        assert kept == points
    for k in range(buckets if count > 2 * buckets else 0):
        part = points[k * count // buckets : (k + 1) * count // buckets]
        values = [value for _, value in part]
        here = [value for place, value in kept if part[0][0] <= place <= part[-1][0]]
        assert (min(here), max(here)) == (min(values), max(values))


def test_what_is_no_number_interrupts_a_curve_even_when_thinned() -> None:
    points = [(float(k), float("nan") if k == 3000 else 1.0 + k % 7) for k in range(5000)]
    assert any(math.isnan(value) for _, value in thinned(points, 140))
    made = panel(
        "m", "gan", "loss", [("seed 0", {"images_seen": [x for x, _ in points], "loss": [y for _, y in points]})]
    )
    assert made
    assert made.courses[0].path.count("M") == 2
    assert "nan" not in made.courses[0].path + made.courses[0].points
    assert panel("m", "gan", "loss", [("seed 0", {"images_seen": [1.0], "loss": [math.inf]})]) is None


def test_a_panel_inverts_to_what_was_logged_and_says_its_extremes() -> None:
    seen, loss = [100.0, 200.0, 300.0], [1.0, 0.01, 0.5]
    made = panel("m", "gan", "loss", [("seed 4", {"images_seen": seen, "loss": loss})])
    assert made
    assert made.log
    (a, low), (b, high) = made.y_ticks[0], made.y_ticks[-1]
    for point, images, value in zip(made.courses[0].points.split(";"), seen, loss, strict=True):
        _, py, *told = map(float, point.split())
        share = (py - a) / (b - a)
        assert told == [images, value]
        assert float(low) ** (1 - share) * float(high) ** share == pytest.approx(value, rel=0.02)
    assert made.courses[0].told == "seed 4: first 1, least 0.01, last 0.5"


def test_the_ramp_goes_through_its_colours_and_grows_lighter() -> None:
    assert [colour(k / 10) for k in range(11)] == [f"#{one}" for one in VIRIDIS]
    assert colour(None) == "none"
    assert (colour(-1), colour(2)) == (colour(0), colour(1))
    light = [
        sum(w * int(colour(k / 50)[i : i + 2], 16) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))
        for k in range(51)
    ]
    assert light == sorted(light)


def test_axis_places_are_proportions() -> None:
    assert Axis(1, 100, 0, 10, log=True).at(10) == pytest.approx(5)
    assert Axis(0, 4, 10, 0).at(1) == pytest.approx(7.5)


def test_a_curve_of_one_point_can_be_seen_and_every_curve_ends_in_a_dot() -> None:
    made = panel("vae", "", "loss", [("one", {"images_seen": [64.0], "loss": [2.0]}),
                                     ("more", {"images_seen": [64.0, 128.0], "loss": [2.0, 1.0]})])  # fmt: skip
    assert made is not None
    for course in made.courses:
        x, y, *_ = course.points.split(";")[-1].split(" ")
        assert course.end is not None
        assert [f"{place:.1f}" for place in course.end] == [x, y]
