"""Have the clusters that a model is told learned from its training images, before the first batch."""

import numpy as np
import torch
from torch import Tensor

from bench.runtime.console import console
from datamodules.base import ImageDataModule
from datamodules.stream import to_unit
from models.base import GenerativeModel

LEARNED_FROM = 10_000  # training images at most: k-means is to take seconds
VALUES = 10_000 * 3 * 32 * 32  # of them at most
DRAW = 0  # seed of the draw of these images


def learned_from(images: Tensor) -> int:
    """Return how many training images clusters are learned from, of these N x C x H x W."""
    return min(len(images), LEARNED_FROM, max(1, VALUES // images[0].numel()))


def learn_clusters(model: GenerativeModel, data: ImageDataModule) -> None:
    """Learn the model's clusters, if it is told any, from training images that are the same for every training seed.

    Every process finds the same ones.
    """
    if model.clusters is None:
        return
    count = learned_from(data.train_images)
    indices = np.random.default_rng(DRAW).choice(len(data.train_images), count, replace=False)
    console.print(f"  clusters: {model.clusters.count:,}, by k-means of the pixels of {count:,} training images")
    model.clusters.learn(to_unit(data.train_images[torch.from_numpy(np.sort(indices))]))
