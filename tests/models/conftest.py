"""What the models' tests share: a fixed global seed, toy batches of 8-bit images, and Lightning's trainer, silenced."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

Batch = tuple[Tensor, Tensor]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Equal weights and noise in every run, and nothing left behind for the next test."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def toy_batches() -> Callable[..., list[Batch]]:
    """`count` batches of `size` images at random 8-bit levels in [-1, 1], with labels; equal seeds, equal batches."""

    def make(image_shape: tuple[int, int, int], count: int, size: int = 4, seed: int = 1) -> list[Batch]:
        generator = torch.Generator().manual_seed(seed)
        levels = torch.randint(0, 256, (count, size, *image_shape), generator=generator)
        return [(x / 127.5 - 1, torch.arange(size)) for x in levels]

    return make


@pytest.fixture(scope="session")
def fit() -> Callable[..., L.Trainer]:
    """Train a model on a list of batches, once through unless `max_epochs` says more; the trainer comes back."""

    def train(
        model: L.LightningModule, batches: list[Batch], *callbacks: L.Callback, ckpt_path: Any = None, **settings: Any
    ) -> L.Trainer:
        quiet: dict[str, Any] = dict.fromkeys(
            ["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            trainer = L.Trainer(accelerator="cpu", callbacks=list(callbacks), **({"max_epochs": 1} | quiet | settings))
            trainer.fit(model, DataLoader(batches, batch_size=None), ckpt_path=ckpt_path)  # type: ignore[arg-type]
        return trainer

    return train
