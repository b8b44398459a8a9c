"""Nearest training images: those of all distances in float64, those of a tree, copies at exactly zero."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from bench.evaluation.metrics.memorisation import nearest

DIM = 24  # where products are taken in float32


def points(n: int, seed: int) -> Tensor:
    return 6 * torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def training() -> Tensor:
    return points(3000, seed=1)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_nearest_is_that_of_all_float64_distances(offset: float, training: Tensor) -> None:
    x, t = points(205, seed=2) + offset, training + offset
    every = torch.cdist(x.double(), t.double(), compute_mode="donot_use_mm_for_euclid_dist")
    distance, index = nearest(x, t)
    torch.testing.assert_close(distance, every.min(1).values.float(), rtol=1e-6, atol=0)
    assert torch.equal(index, every.argmin(1))


def test_a_copy_is_at_distance_zero_from_an_equal_image(training: Tensor) -> None:
    t = torch.cat([training + 300, training[:50] + 300, training[100:101] + 300 + 1e-4])  # equal ones, nearly equal one
    chosen = torch.tensor([0, 7, 49, 100, 2999, 3050])
    distance, index = nearest(t[chosen], t)
    assert distance.tolist() == [0] * 6
    assert torch.equal(t[index], t[chosen])


def test_nearest_of_fewer_training_images_than_candidates() -> None:
    distance, index = nearest(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.5]]))
    assert (distance.tolist(), index.tolist()) == ([1, 0.5], [0, 1])


def test_neighbours_in_the_plane_are_those_of_a_tree_and_copies_at_zero() -> None:
    random = np.random.RandomState(0)
    angles = random.randint(8, size=100_200) * math.pi / 4
    centres = 0.8 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = torch.from_numpy(np.float32(centres + 0.008 * random.standard_normal((100_200, 2))))
    training, others = x[:100_000], x[100_000:]
    expected, places = cKDTree(training.double().numpy()).query(others.double().numpy())
    distance, index = nearest(torch.cat([others, training[:200]]), training)
    np.testing.assert_allclose(distance[:200].numpy(), expected, rtol=1e-6)
    assert index[:200].tolist() == places.tolist()
    assert distance[200:].tolist() == [0] * 200
