"""Whole numbers of planted images sum to their total, and a plan's ladders hold every state once."""

import numpy as np
import pytest
import torch

from bench.selftest.planting import FULL, INTACT, Plan, apportion, random_images

PLAN = Plan(2000, (0.1, 0.5, 0.9), (0.1,), (20,), (0.5, 1.0), (0.1, 0.2), (0.1, 0.3), ("blends",))


@pytest.mark.parametrize("seed", range(5))
def test_parts_sum_to_the_total_and_are_within_one_of_their_share(seed: int) -> None:
    rng = np.random.RandomState(seed)
    parts = rng.dirichlet(np.ones(7))
    counts = apportion(100, parts, rng)
    assert counts.sum() == 100
    assert (np.abs(counts - 100 * parts) < 1 + 1e-6).all()
    assert apportion(100, np.full(10, 0.1), rng).tolist() == [10] * 10


def test_every_ladder_ends_in_the_whole_and_its_rungs_are_evenly_placed() -> None:
    assert all(ladder.rungs[-1] in (FULL, "2,000 images") for ladder in PLAN.coverage)
    assert all(ladder.rungs[0] == INTACT for ladder in PLAN.quality)
    for ladder in (*PLAN.coverage, *PLAN.quality):
        assert np.ptp(np.diff(ladder.positions)) == pytest.approx(0)
        assert (ladder.positions[0], ladder.positions[-1]) == (0, 1)
        assert len(set(ladder.rungs)) == len(ladder.rungs)
    assert len(set(PLAN.coverages)) == len(PLAN.coverages)
    assert len(set(PLAN.qualities)) == len(PLAN.qualities)


def test_random_images_are_different_ones() -> None:
    images = torch.arange(20)
    chosen = random_images(images, 12, torch.Generator().manual_seed(0))
    assert len(chosen.unique()) == 12
