"""A panel keeps a curve's ends, spikes, gaps and intervals."""

import math

import pytest

from bench.plots.axes import label
from bench.plots.panel import Line, panel, thin_out


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


def test_thinning_keeps_a_gap() -> None:
    points = [(float(k), math.nan if k == 3000 else 1.0 + k % 7) for k in range(5000)]
    assert any(math.isnan(value) for _, value in thin_out(points, 140))


def test_a_logarithmic_axis_spaces_equal_ratios_equally_and_intervals_stay_inside() -> None:
    line = Line("ddim", [(5.0, 9.0), (50.0, 3.0), (500.0, 1.0)], [(5.0, 8.0, 40.0), (500.0, 0.5, 2.0)])
    made = panel("ddpm", "diffusion", "FID", [line], "evaluations", label, log_x=True)
    assert made
    (course,) = made.courses
    places = [float(point.split()[0]) for point in course.points.split(";")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    left, top, right, bottom = made.sides
    for x, low, high in course.bars:
        assert left <= x <= right
        assert top <= high < low <= bottom
