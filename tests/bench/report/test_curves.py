"""A learning curve can be read back, and no spike of it is lost."""

import math

import pytest

from bench.report.curves import learning_panel


def test_what_is_no_number_interrupts_a_curve_even_when_thinned() -> None:
    points = [(float(k), float("nan") if k == 3000 else 1.0 + k % 7) for k in range(5000)]
    made = learning_panel(
        "m", "gan", "loss", [("seed 0", {"images_seen": [x for x, _ in points], "loss": [y for _, y in points]})]
    )
    assert made
    assert made.courses[0].path.count("M") == 2
    assert "nan" not in made.courses[0].path + made.courses[0].points
    assert learning_panel("m", "gan", "loss", [("seed 0", {"images_seen": [1.0], "loss": [math.inf]})]) is None


def test_a_panel_inverts_to_what_was_logged_and_says_its_extremes() -> None:
    seen, loss = [100.0, 200.0, 300.0], [1.0, 0.01, 0.5]
    made = learning_panel("m", "gan", "loss", [("seed 4", {"images_seen": seen, "loss": loss})])
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
    made = learning_panel("vae", "", "loss", [("one", {"images_seen": [64.0], "loss": [2.0]}),
                                     ("more", {"images_seen": [64.0, 128.0], "loss": [2.0, 1.0]})])  # fmt: skip
    assert made is not None
    for course in made.courses:
        x, y, *_ = course.points.split(";")[-1].split(" ")
        assert [f"{place:.1f}" for place in course.dots[-1]] == [x, y]
