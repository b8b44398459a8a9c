"""A learning curve can be read back, and no spike of it is lost."""

import math

import pytest

from bench.report.curves import panel, thin_out


@pytest.mark.parametrize("count", [1, 7, 280, 281, 5000])
def test_thinning_keeps_every_part_of_a_curves_least_and_greatest_value_and_its_ends(count: int) -> None:
    buckets = 140
    points = [(float(k), math.sin(k * 12.9898) * 43758.5453 % 1) for k in range(count)]
    points[count // 2] = (float(count // 2), 1000.0)
    kept = thin_out(points, buckets)
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
    assert any(math.isnan(value) for _, value in thin_out(points, 140))
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
    assert made.courses[0].summary == "seed 4: first 1, least 0.01, last 0.5"


def test_a_curve_of_one_point_can_be_seen_and_every_curve_ends_in_a_dot() -> None:
    made = panel("vae", "", "loss", [("one", {"images_seen": [64.0], "loss": [2.0]}),
                                     ("more", {"images_seen": [64.0, 128.0], "loss": [2.0, 1.0]})])  # fmt: skip
    assert made is not None
    for course in made.courses:
        x, y, *_ = course.points.split(";")[-1].split(" ")
        assert course.end is not None
        assert [f"{place:.1f}" for place in course.end] == [x, y]
