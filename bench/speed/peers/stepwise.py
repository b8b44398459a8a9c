"""What the libraries have in common that are trained a batch at a time."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

CHANNELS = [32, 64]  # of a network of a peer's own


class Stepwise(ABC):
    """A trainer that takes one batch of `batch` images at a time."""

    batch: int

    @abstractmethod
    def step(self) -> None:
        """Train on one batch."""

    def turn(self, batches: int, seconds: float) -> int:
        """Train for about `seconds`; return the number of images."""
        start, images = time.perf_counter(), 0
        while not images or time.perf_counter() - start < seconds:
            self.step()
            images += self.batch
        return images


def train_alone(build: Callable[[Tensor, int], Stepwise]) -> None:
    """Train as the program of `bench speed memory`: its arguments are images.npy, images to train on, and a batch.

    build: (uint8 images N x C x H x W, batch) -> a trainer of a network of the library's own.
    """
    file, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    trainer = build(torch.from_numpy(np.load(file)), batch)
    for _ in range(0, count, batch):
        trainer.step()
