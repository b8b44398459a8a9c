"""Clusters are k-means' own, disturb no random numbers, and take the labels' place in every conditional family."""

from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.tasks.registry import ABILITIES
from models.clusters import Clusters
from tests.models.cases import CASES, POINT, Case, build

SHAPE = (1, 4, 5)
CENTRES = torch.tensor([[-0.5, 0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, -0.5]])


def blobs(n: int = 90) -> tuple[Tensor, Tensor]:
    """Images about three far points, and the number of each one's point."""
    generator = torch.Generator().manual_seed(0)
    y = (torch.arange(n) % 4).clamp(max=2)  # a quarter, a quarter, a half
    return (y[:, None, None, None] - 1 + 0.1 * torch.rand(n, *SHAPE, generator=generator)), y


def test_each_centroid_is_the_mean_of_its_images_and_each_image_has_the_nearest() -> None:
    images, y = blobs()
    clusters = Clusters(3, SHAPE)
    assert torch.equal(clusters.shares, torch.full((3,), 1 / 3))
    clusters.learn(images[:75])
    numbers = clusters(images)
    assert numbers.dtype == torch.int64
    assert len({(int(a), int(b)) for a, b in zip(numbers, y, strict=True)}) == 3  # one cluster for each point
    for cluster in range(3):
        mine = images[:75][numbers[:75] == cluster]
        torch.testing.assert_close(clusters.centroids[cluster], mine.flatten(1).mean(0))
        assert clusters.shares[cluster] == pytest.approx(len(mine) / 75)


def test_learning_is_the_same_again_and_draws_no_random_numbers_of_the_trainings() -> None:
    images, _ = blobs()
    first, again = Clusters(5, SHAPE), Clusters(5, SHAPE)
    first.learn(images)
    torch.manual_seed(7)
    np.random.seed(7)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    again.learn(images)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # type: ignore[index]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_they_are_drawn_by_their_shares() -> None:
    model: Any = build(Case("gan", {"latent_dim": 5, "width": 4, "condition": "cluster", "clusters": 3}), SHAPE)
    model.clusters.shares.copy_(torch.tensor([0.5, 0.5, 0.0]))
    drawn = model.draw_groups(4000, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=3)
    assert counts[2] == 0
    assert abs(counts[0] - 2000) < 4 * 1000**0.5
    assert model.draw_labels(5, torch.Generator()) is None


LINEAR = {"architecture": "linear", "hidden": 16}
FAMILIES = {
    "gan": LINEAR | {"latent_dim": 2},
    "vae": LINEAR | {"latent_dim": 2},
    "ddpm": LINEAR | {"T": 20, "warmup": 3},
    "flow_matching": LINEAR | {"warmup": 3},
}
every_family = pytest.mark.parametrize(("name", "arguments"), FAMILIES.items(), ids=FAMILIES)


@every_family
def test_a_model_of_clusters_that_are_the_classes_is_the_model_of_labels(
    name: str, arguments: dict[str, Any], fit: Callable[..., L.Trainer]
) -> None:
    y = torch.arange(32) % 4
    x = (CENTRES[y] + 0.01 * torch.randn(32, 2, generator=torch.Generator().manual_seed(0)))[:, :, None, None]
    weights, samples = [], []
    for condition, labels in (("label", y), ("cluster", torch.zeros_like(y))):
        torch.manual_seed(0)
        case = Case(name, arguments | {"condition": condition, "clusters": 4})
        model: Any = build(case, POINT)
        if condition == "cluster":
            model.clusters.centroids.copy_(CENTRES)
            model.clusters.shares.copy_(torch.tensor(model.class_shares))
        torch.manual_seed(1)
        fit(model, [(x, labels)] * 4)
        weights.append({key: value for key, value in model.state_dict().items() if not key.startswith("clusters")})
        samples.append(model.sample(6, torch.Generator().manual_seed(2)))
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    torch.testing.assert_close(*samples)


@every_family
def test_a_model_of_clusters_takes_no_labels_and_has_no_task_that_tells_it_none(
    name: str, arguments: dict[str, Any]
) -> None:
    model: Any = build(Case(name, arguments | {"condition": "cluster", "clusters": 3}), SHAPE)
    assert (model.classes, model.groups) == (0, 3)
    with pytest.raises(ValueError, match="trained without labels"):
        model.sample_given(torch.zeros(1, dtype=torch.int64), torch.Generator())
    assert not any(entry.had_by(model) for entry in ABILITIES.values() if entry.unconditional)


def test_the_contract_has_such_members() -> None:
    assert {CASES[name].model for name in CASES if name.endswith("-cluster")} == {"gan", "vae", "ddpm"}
