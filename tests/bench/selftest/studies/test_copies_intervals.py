"""Distances are drawn as stated, and intervals are counted where they hold the truth."""

import numpy as np
import pytest

from bench.evaluation.metrics.intervals import Estimate
from bench.selftest.studies.copies_intervals import (
    CASES,
    HELD_OUT,
    SAMPLES,
    SHAPE,
    coverage,
    jackknife_alone,
    scaled,
    sets,
)


def test_distances_have_the_scale_and_the_share_of_copies() -> None:
    random = np.random.RandomState(0)
    assert scaled(1.3)(random, 100_000).mean() == pytest.approx(1.3 * SHAPE, rel=0.01)
    assert (scaled(1.0, 0.1)(random, 100_000) == 0).mean() == pytest.approx(0.1, abs=0.005)
    assert not CASES["copies alone"](random, 10).any()


def test_an_evaluation_has_all_samples_and_held_out_images() -> None:
    near = sets(CASES["data"], np.random.RandomState(0)).nearest
    assert near is not None
    assert (len(near.generated), len(near.held_out)) == (SAMPLES, HELD_OUT)


def test_the_former_intervals_are_of_the_same_figures() -> None:
    features = sets(CASES["data"], np.random.RandomState(0))
    copies, typical = jackknife_alone(features)
    assert copies.without is not None
    assert len(copies.without) == int(features.groups.max()) + 1
    assert typical.extra is None
    assert copies.value == pytest.approx(1, abs=0.5), "samples of the data are as near as expected"


def test_coverage_is_the_share_of_intervals_that_hold_the_truth() -> None:
    estimates = [Estimate(0.0, ends=(low, low + 1)) for low in (0.0, 0.5, 2.0, -1.0)]
    assert coverage([*estimates, None], 0.75) == 0.5
