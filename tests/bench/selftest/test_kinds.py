"""A kind of case accepts the expected value within its tolerance and no other; closed forms equal enumerations."""

import itertools
from typing import Any

import pytest
import torch

from bench.selftest.inputs import GAUSSIANS
from bench.selftest.kinds import (
    Case,
    binomial,
    equal_kl,
    exactly,
    expected_coverage,
    flags,
    frechet,
    monotone,
    near,
    occupancy,
    on_average,
    share_of_baseline,
    within,
)


@pytest.mark.parametrize(("n", "k"), [(3, 1), (4, 2), (5, 3)])
def test_coverage_is_that_of_all_orders_of_the_neighbours(n: int, k: int) -> None:
    """Of the 2n - 1 points beside a reference point, n are samples: every choice of their places is as likely."""
    covered, balls = [], []
    for places in itertools.combinations(range(2 * n - 1), n):
        others = [place for place in range(2 * n - 1) if place not in places]
        inside = sum(place < others[k - 1] for place in places)  # nearer than the k-th neighbour in the reference
        covered.append(inside > 0)
        balls.append(inside)
    assert expected_coverage(n, k) == pytest.approx(sum(covered) / len(covered), rel=1e-12)
    assert sum(balls) / len(balls) / k == pytest.approx(1, rel=1e-12)  # density


@pytest.mark.parametrize(("modes", "n"), [(2, 3), (3, 4), (5, 3)])
def test_occupied_modes_are_those_of_all_draws(modes: int, n: int) -> None:
    counts = torch.tensor([len(set(draw)) for draw in itertools.product(range(modes), repeat=n)]).double()
    assert occupancy(modes, n) == pytest.approx((float(counts.mean()), float(counts.std(correction=0))), rel=1e-9)


def test_the_frechet_distance_is_that_by_eigenvalues() -> None:
    (m, C), (m_r, C_r) = GAUSSIANS
    roots = torch.linalg.eigvals(C @ C_r).real.sqrt().sum()
    assert frechet() == pytest.approx(float((m - m_r).square().sum() + (C + C_r).trace() - 2 * roots), rel=1e-12)


@pytest.mark.parametrize(
    ("case", "right", "wrong"),
    [
        (exactly("a", "modes", 10), [(10,)], [(9,), (11,)]),
        (near("a", "fid", 0.5, 0.01, ""), [(0.5,), (0.509,)], [(0.511,), (0.489,)]),
        (within("a", "recall", 0.5), [(0.5, 0.1), (0.69, 0.1)], [(0.71, 0.1), (0.29, 0.1)]),
        (on_average("kid", 0.0, "", lambda inputs: []), [(0.0, 0.1), (-0.19, 0.1)], [(0.21, 0.1)]),
        (flags("a", "none"), [("none",)], [("only 5 of 10 samples are distinct",)]),
        (monotone("blur", "a", (1.0, 2.0), "fid", 1), [(1, 2, 3)], [(1, 3, 2), (1, 1, 2)]),
        (share_of_baseline("a", "recall", "b", 0.8, 0.05), [(0.8,), (0.84,)], [(0.86,), (0.74,)]),
        (equal_kl("a", 10, 1000), [(9 / 2000,)], [(0.0,), (0.1,)]),
        (binomial("a", "precision", "", 1000, lambda inputs: ()), [(0.5, 0.5), (0.52, 0.5)], [(0.6, 0.5)]),
    ],
    ids=str,
)  # fmt: skip
def test_a_case_accepts_what_is_expected_and_refuses_what_is_not(
    case: Case, right: list[tuple[Any, ...]], wrong: list[tuple[Any, ...]]
) -> None:
    assert [case.check(*values) for values in right] == [True] * len(right)
    assert [case.check(*values) for values in wrong] == [False] * len(wrong)
