"""Averaged weights against their definition."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bench.training.callbacks import Snapshot, averaged_weights, averages_in_place, ema


def test_ema_follows_its_recursion_and_ends_where_weights_rest() -> None:
    weights = [torch.randn(5, generator=torch.Generator().manual_seed(k)) for k in range(60)]
    average, expected = [torch.zeros(5)], torch.zeros(5)
    for k, weight in enumerate(weights):
        ema(0.9)(average, [weight], torch.tensor(k))
        decay = min(0.9, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(average[0], expected)
    for k in range(60, 400):
        ema(0.9)(average, [weights[0]], k)
    torch.testing.assert_close(average[0], weights[0])


class Regression(L.LightningModule):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Look(L.Callback):
    """The weights before, in and after the context, and those in a checkpoint, at the last batch."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        self.before = copy(pl_module)
        with averages_in_place(trainer, pl_module):
            self.inside = copy(pl_module)
        self.after = copy(pl_module)
        trainer.save_checkpoint("all.ckpt")


def copy(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def test_the_averages_are_the_models_weights_in_the_context_and_its_own_come_back(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    look = Look()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[averaged_weights(0.9), look], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Regression(), DataLoader(TensorDataset(torch.randn(12, 3)), batch_size=4))
    kept = torch.load("all.ckpt", weights_only=True)
    torch.testing.assert_close(look.inside, list(kept["state_dict"].values()), rtol=0, atol=0)
    torch.testing.assert_close(look.before, list(kept["current_model_state"].values()), rtol=0, atol=0)
    torch.testing.assert_close(look.after, look.before, rtol=0, atol=0)
    assert not torch.equal(look.inside[0], look.before[0])


class Keeper(Regression):
    """Keeps its layer's weight in a buffer, counts images, and records its averages at every batch."""

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(1, 3))
        self.images_seen = 0
        self.averages: dict[int, Tensor] = {}

    def on_train_batch_start(self, batch: list[Tensor], batch_idx: int) -> None:
        self.images_seen += len(batch[0])

    def snapshot_weights(self) -> list[Tensor]:
        return [self.layer.weight.detach().clone()]

    def keep_snapshot(self, weights: list[Tensor]) -> None:
        self.kept.copy_(weights[0])


class Averages(L.Callback):
    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        with averages_in_place(trainer, pl_module):
            pl_module.averages[pl_module.images_seen] = pl_module.layer.weight.detach().clone()


def test_a_snapshot_is_the_averages_when_its_images_have_been_seen_and_stays(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    model = Keeper()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[averaged_weights(0.9), Snapshot(6), Averages()], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, DataLoader(TensorDataset(torch.randn(16, 3)), batch_size=4))
    assert torch.equal(model.kept, model.averages[8])
    assert not torch.equal(model.kept, model.averages[4])
    assert not torch.equal(model.kept, model.averages[16])
