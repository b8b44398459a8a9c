"""Intervals are counted where they hold the mean, and lengths are in units of the true one."""

import math

import numpy as np
import pytest
import torch

from bench.selftest.studies.intervals import (
    CALLS,
    Coverage,
    by_groups,
    calls,
    coverage,
    four,
    normal,
    texts,
    with_modes,
)


def test_intervals_of_1_96_deviations_hold_95_percent_and_are_of_length_1() -> None:
    values = np.random.default_rng(0).normal(size=4000)
    found = coverage([(value, (value - 1.96, value + 1.96)) for value in values])
    assert found.held == pytest.approx(0.95, abs=3 * found.error)
    assert found.length == pytest.approx(1, abs=0.05)
    assert coverage([(0.0, (0.0, 0.0))] * 8).held == 1


def test_the_mean_of_a_jackknife_is_its_standard_error() -> None:
    x = normal(400, 0, 1)[:, 0]
    groups = torch.arange(400) % 20
    ((value, (low, high)),) = by_groups(lambda mask: x[mask].mean()[None], groups)
    assert value == pytest.approx(float(x.mean()))
    assert (high - low) / 2 / 2.093 == pytest.approx(float(x.std()) / 20, rel=0.4)


def test_equal_sets_have_every_share_at_its_limit() -> None:
    x = normal(60, 0)
    assert four(x.clone(), x)[[0, 1, 3]].tolist() == [1, 1, 1]


def test_only_present_modes_are_drawn() -> None:
    features = with_modes(K=10, n=500, present=7, uneven=None, seed=0)
    assert features.modes is not None
    assert features.modes.assigned.unique().tolist() == list(range(7))


def test_calls_are_about_one_second_and_repeat() -> None:
    assert len(calls(0)) == CALLS
    assert np.array_equal(calls(3), calls(3))
    assert np.median(calls(0)) == pytest.approx(1, abs=0.05)


def test_what_has_no_length_has_an_empty_cell() -> None:
    assert texts(None) == ["", ""]
    assert texts(Coverage(0.94, 0.02, math.nan)) == ["94% ± 2%", ""]
    assert texts(Coverage(0.94, 0.02, 1.03)) == ["94% ± 2%", "1.03"]
