"""A turn is of whole batches and at least one; the program trains on as many images as it is told."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.speed.peers.stepwise import Stepwise, train_alone


class Counter(Stepwise):
    """Counts its steps."""

    def __init__(self, batch: int) -> None:
        self.batch, self.steps = batch, 0

    def step(self) -> None:
        self.steps += 1


def test_a_turn_counts_the_images_of_its_steps() -> None:
    counter = Counter(8)
    assert counter.turn(1, 0.0) == 8
    images = counter.turn(1, 0.01)
    assert images == 8 * (counter.steps - 1) > 0


def test_the_program_trains_on_the_images_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, counter, seen = tmp_path / "images.npy", Counter(16), []
    np.save(file, np.zeros((40, 1, 8, 8), np.uint8))
    monkeypatch.setattr(sys, "argv", ["peer", str(file), "64", "16"])
    train_alone(lambda images, batch: seen.append((tuple(images.shape), batch)) or counter)
    assert seen == [((40, 1, 8, 8), 16)]
    assert counter.steps == 4
