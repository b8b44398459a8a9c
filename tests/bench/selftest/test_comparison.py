"""Distances, histograms and KID's kernel of planted samples in closed form."""

import pytest
import torch

from bench.selftest.comparison import Comparison, Truth, cubic_kernel, mean_off_diagonal, own_distances, shares

LINE = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)


def truth() -> Truth:
    return Truth(
        LINE, LINE.mean(0), LINE.T.cov()[None], LINE.float(), shares(torch.arange(3), 3), torch.ones(1).double()
    )


def test_own_distances_leave_out_the_point_itself() -> None:
    assert own_distances(LINE).min(1).values.tolist() == [1, 1, 2]
    assert truth().nearest.tolist() == [[1, 3], [1, 2], [2, 3]]


def test_shares_sum_to_one_over_all_members() -> None:
    found = shares(torch.tensor([0, 0, 3, 1]), 5)
    assert found.tolist() == [0.5, 0.25, 0, 0.25, 0]


def test_the_kernels_mean_is_over_pairs_of_different_points() -> None:
    pairs = [(a * b + 1) ** 3 for a in (0, 1, 3) for b in (0, 1, 3) if a != b]
    assert float(mean_off_diagonal(LINE)) == pytest.approx(sum(pairs) / 6)
    assert cubic_kernel(LINE, LINE)[1, 2] == (1 * 3 + 1) ** 3


def test_samples_are_in_the_bin_of_the_nearest_centroid() -> None:
    compared = Comparison(truth(), LINE + 0.2, torch.zeros(3, dtype=torch.int64))
    assert torch.equal(compared.bin_shares, compared.truth.bin_shares)
    assert compared.class_shares.tolist() == [1]
    assert torch.allclose(compared.across.diagonal(), torch.tensor(0.2).double())
