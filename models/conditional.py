"""Labels or clusters as a condition: how many there are, how training drops them, and guidance against none."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from models.base import DataSpec
from models.clusters import Clusters
from models.ranks import own_share

Condition = Literal["none", "label", "cluster"]
ClusterCount = Annotated[int, Ge(2)]
Conditional = Callable[[Tensor, Tensor, Tensor], Tensor]  # x (N x C x H x W), t (N), y (N) -> a prediction like x
Prediction = Callable[[Tensor, Tensor], Tensor]  # the same of given labels
Guided = Callable[[Tensor], bool]  # whether the times of a batch, N equal ones, are guided


def class_count(data: DataSpec, condition: str) -> int:
    """Return how many labels a model with this condition takes: 0 for "none" and for "cluster".

    ValueError where the data have none.
    """
    if condition in ("none", "cluster"):
        return 0
    if len(data.class_shares) < 2:
        raise ValueError(
            f"condition={condition}: the images have no labels; choose condition=none or cluster, or data with "
            "classes such as mnist, cifar10 or, with data.classes, image_folder"
        )
    return len(data.class_shares)


def clusters_of(data: DataSpec, condition: str, count: int) -> Clusters | None:
    """Return `count` clusters, not yet learned, if the condition is "cluster"."""
    return Clusters(count, data.image_shape) if condition == "cluster" else None


def check_labels(labels: Tensor, classes: int) -> Tensor:
    """Return labels, N, if they are whole numbers from 0 to `classes` - 1; raise ValueError otherwise."""
    if not classes:
        raise ValueError("the model was trained without labels; train it with model.condition=label")
    if labels.dtype != torch.int64 or labels.dim() != 1:
        raise ValueError(f"labels of type {labels.dtype} and shape {tuple(labels.shape)} are not int64 N")
    for label in labels[(labels < 0) | (labels >= classes)].tolist():
        raise ValueError(f"label={label}: choose from 0 to {classes - 1}")
    return labels


def dropped(labels: Tensor, share: float, null: int) -> Tensor:
    """Return the labels of one rank's share of a batch, N, a random `share` of them replaced by `null`.

    Ho and Salimans 2022 (arXiv:2207.12598), Algorithm 1: one network learns both predictions.
    """
    u = own_share(lambda m: torch.rand(m, device=labels.device), len(labels))
    return torch.where(u < share, null, labels)


def classifier_free(network: Conditional, labels: Tensor, null: int, w: float, guided: Guided) -> Prediction:
    """Return the prediction for given labels, led away from the one without labels at `guided` times.

    Ho and Salimans 2022 (arXiv:2207.12598), Eq. 6: w = 0 is the conditional prediction alone; others name 1 + w the
    scale. A guided evaluation is one pass of twice the batch. Guidance at some noise levels only is that of
    Kynkäänniemi et al. 2024 (arXiv:2404.07724). labels: N, or N x dim of another condition. null: the value, of all
    entries, that stands for no label.
    """
    both = torch.cat([labels, torch.full_like(labels, null)])

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if not w or not guided(t):
            return network(x, t, labels)
        given, free = network(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return given + w * (given - free)

    return predict
