"""Have the clusters that a model is told learned from its training images, before the first batch."""

import numpy as np
import torch

from bench.runtime.console import console
from datamodules.base import ImageDataModule
from datamodules.stream import to_unit
from models.base import GenerativeModel

LEARNED_FROM = 10_000  # training images at most: k-means is to take seconds
SEED = 0


def learn_clusters(model: GenerativeModel, data: ImageDataModule) -> None:
    """Learn the model's clusters, if it is told any, from training images that are the same for every training seed.

    Every process finds the same ones. A training that is resumed replaces them by its own, which are the same again.
    """
    if model.clusters is None:
        return
    count = min(LEARNED_FROM, len(data.train_images))
    chosen = np.random.default_rng(SEED).choice(len(data.train_images), count, replace=False)
    console.print(f"  clusters: {model.clusters.count:,}, by k-means of the pixels of {count:,} training images")
    model.clusters.learn(to_unit(data.train_images[torch.from_numpy(np.sort(chosen))]))
