"""A difference is Welch's: equal to scipy's, exact in the limits, and wrong as often as it says."""

import numpy as np
import pytest
from scipy import stats

from bench.evaluation.metrics.intervals import half_width
from bench.table.figure import Figure, mean, quantile

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
