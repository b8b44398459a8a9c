"""Places invert to figures, and ticks are round."""

from itertools import pairwise

import pytest

from bench.plots.axes import Axis, label, linear_ticks, log_ticks, spanning


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


def test_axis_places_are_proportions() -> None:
    assert Axis(1, 100, 0, 10, log=True).at(10) == pytest.approx(5)
    assert Axis(0, 4, 10, 0).at(1) == pytest.approx(7.5)
