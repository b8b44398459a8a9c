"""A difference is Welch's: equal to scipy's, exact in the limits, and wrong as often as it says."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.columns import COLUMNS, UNSURE, Column, decision
from bench.evaluation import half_width
from bench.figure import Figure, mean, quantile

RANDOM = np.random.default_rng(19)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (3, 20), (5, 2)])
def test_the_difference_of_two_means_is_scipys_welch_test(n: int, m: int) -> None:
    a, b = RANDOM.normal(1, 2, n).tolist(), RANDOM.normal(0, 0.5, m).tolist()
    apart = mean(a).difference(mean(b))
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert apart.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert apart.freedom == pytest.approx(expected.df)
    assert mean(a).differs(mean(b)) == (expected.pvalue < 0.05)


def test_a_mean_has_the_t_interval_of_its_values() -> None:
    values = RANDOM.normal(size=4).tolist()
    assert mean(values).half == pytest.approx(half_width(values))
    assert quantile(19) == pytest.approx(stats.t.ppf(0.975, 19))


def test_against_an_exact_figure_the_difference_has_the_figures_own_interval() -> None:
    figure, exact = Figure(3.0, 2.0, 4.5, 7), Figure(1.0)
    assert figure.difference(exact).interval == pytest.approx((1.0, 3.5))
    assert exact.difference(figure).interval == pytest.approx((-3.5, -1.0))
    assert exact.differs(Figure(2.0)) is None
    assert Figure(9.0, 9.0, 9.0, 2).differs(Figure(10.0, 10.0, 10.0, 2))


def test_the_sides_that_face_each_other_decide() -> None:
    """A figure that is known well from above is told from one a little higher, however little it is known below."""
    above = Figure(0.5, 0.49, 0.9, 19)
    assert Figure(0.4, 0.0, 0.41, 19).differs(above)
    assert not Figure(0.4, 0.39, 0.9, 19).differs(above)


@pytest.mark.parametrize("factor", [0.1, 10.0, 1000.0])
def test_units_change_no_decision(factor: float) -> None:
    a, b = mean([1.0, 1.2, 1.5]), mean([1.9, 2.0, 2.3])
    scaled = a.scaled(factor).difference(b.scaled(factor))
    assert scaled.interval == pytest.approx(tuple(factor * end for end in a.difference(b).interval or ()))


def test_an_interval_cut_at_a_bound_decides_as_before() -> None:
    """A share's interval ends at 1, but what chance there was of the mean is still its standard error."""
    whole, cut = mean([0.9, 1.0, 1.0]), mean([0.9, 1.0, 1.0], (0.0, 1.0))
    assert (whole.interval or (0, 0))[1] > 1
    assert cut.interval == ((whole.interval or (0, 0))[0], 1.0)
    other = Figure(1.0, 0.98, 1.0, 19)
    assert cut.difference(other).interval == pytest.approx(whole.difference(other).interval)
    assert cut.scaled(0.5).difference(other).interval == pytest.approx(whole.scaled(0.5).difference(other).interval)


def test_intervals_print_by_their_symmetry() -> None:
    column = Column("x", "x", ".2f")
    assert column.show(Figure(0.3)) == "0.30"
    assert column.show(Figure(0.3, 0.3 - 0.1, 0.3 + 0.1, 19)) == "0.30 ± 0.10"
    assert column.show(Figure(0.05, 0.0, 0.17, 2)) == "0.05 (0.00 – 0.17)"
    assert column.show(Figure(7.0, 7.0, 7.0, 2)) == "7.00 ± 0.00"
    assert column.show(None) == "–"


@pytest.mark.parametrize("key", [column.key for column in COLUMNS if column.bounds[0] > -math.inf])
def test_a_mean_over_seeds_has_no_interval_beyond_its_columns_bounds(key: str) -> None:
    column = next(one for one in COLUMNS if one.key == key)
    low, high = column.bounds
    near = [low + 0.001, low + 0.05, low + 0.01]
    for values in (near, [high - value for value in near] if high < math.inf else near):
        interval = mean(values, column.bounds).interval
        assert interval
        assert low <= interval[0] <= min(values)
        assert max(values) <= interval[1] <= high


def wrong_at_the_bar(
    seeds: int, bar_seeds: int, factor: float, spread: float, draws: int = 4000
) -> tuple[float, float]:
    """The share of marks that are decided where the true figure is the bar: by Welch's test, and by the old rule.

    The old rule took two half widths for deviations: UNSURE within the root of the sum of their squares.
    """
    random = np.random.default_rng(2026)
    decided = old = 0
    for _ in range(draws):
        figure = mean(random.normal(factor, spread, seeds).tolist())
        bar = mean(random.normal(1, 0.1, bar_seeds).tolist()).scaled(factor)
        decided += decision(figure, bar, "lower") != UNSURE
        old += abs(figure.value - bar.value) > math.hypot(figure.half or 0, bar.half or 0)
    return decided / draws, old / draws


@pytest.mark.parametrize(
    ("seeds", "bar_seeds", "factor", "spread"), [(3, 3, 2.0, 0.2), (3, 20, 1.0, 0.1), (5, 5, 10.0, 1.0)]
)
def test_at_the_bar_five_marks_of_a_hundred_are_wrong(seeds: int, bar_seeds: int, factor: float, spread: float) -> None:
    decided, old = wrong_at_the_bar(seeds, bar_seeds, factor, spread)
    assert 0.03 < decided < 0.08  # Welch's is a little liberal for 3 against 20
    assert old < 0.6 * decided
