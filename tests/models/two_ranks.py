"""Run by test_ranks.py: two ranks train models on their share of the batches, and a third process does it alone.

Arguments: a folder for rank-R.pt and alone.pt (by model and case, what `Kept` keeps of its training), and the models.

All numbers are float64, `Tensor.float` included, and of codes at one place the first is the nearest, so that nothing
but a mistake tells two ranks from one.
"""

import logging
import os
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from bench.training.callbacks import averaged_weights
from models import base
from models.vqvae import VQVAE
from tests.forks import all_succeeded, forked
from tests.models.cases import CLASS_SHARES, ODD, TRAINED, Case, build

BATCHES, SIZE = 6, 8
SEEN_BEFORE = 2**25 + 1  # which float32 does not have
CASES = TRAINED | {"vqvae-restarts": Case("vqvae", TRAINED["vqvae"].arguments | {"codebook_size": 150})}


class Kept(L.Callback):
    """First gradients, curves, the state of the random numbers after each batch, the last weights and buffers."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {"gradients": {}, "logged": [], "random": []}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        torch.manual_seed(1)

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: Any, optimizer: torch.optim.Optimizer) -> None:
        mine = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for name, parameter in pl_module.named_parameters():
            if id(parameter) in mine:
                self.kept["gradients"].setdefault(name, parameter.grad.clone())

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.kept["random"].append(torch.get_rng_state())
        if (batch_idx + 1) % base.LOG_EVERY == 0:
            self.kept["logged"].append(dict(trainer.logged_metrics))
        self.kept["state"] = {name: value.clone() for name, value in pl_module.state_dict().items()}


def train(case: Case, rank: int, world_size: int) -> dict[str, Any]:
    torch.manual_seed(0)
    model, kept = build(case, ODD), Kept()
    model.images_seen = SEEN_BEFORE
    if isinstance(model, VQVAE) and model.codebook_size > 100:  # than there are vectors
        model.quantiser.restart = 0.7  # so that codes die soon
    levels = torch.randint(0, 256, (BATCHES, SIZE, *ODD))
    labels = torch.arange(SIZE) % len(CLASS_SHARES)
    batches = [(x.chunk(world_size)[rank] / 127.5 - 1, labels.chunk(world_size)[rank]) for x in levels]
    trainer = L.Trainer(
        accelerator="cpu", devices=world_size, max_epochs=1,
        # no buffer of rank 0 for all in each batch, which would hide that ranks hold different ones
        strategy=DDPStrategy(broadcast_buffers=False) if world_size > 1 else "auto",
        callbacks=[kept, averaged_weights(0.9)],
        use_distributed_sampler=False, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    if model.clusters is not None:
        model.clusters.learn(levels.flatten(0, 1) / 127.5 - 1)
    trainer.fit(model, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return kept.kept | {"averages": model.state_dict()}


def train_all(models: list[str], rank: int, world_size: int) -> dict[str, dict[str, Any]]:
    return {
        model: {name: train(case, rank, world_size) for name, case in CASES.items() if case.model == model}
        for model in models
    }


def prepare() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)  # no pool of threads that a fork would lose
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[assignment, method-assign]
    argmin = torch.Tensor.argmin
    torch.Tensor.argmin = lambda x, dim: argmin(x.round(decimals=9), dim)  # type: ignore[assignment, method-assign, misc]
    base.LOG_EVERY = 2


def rank(number: int, folder: Path, models: list[str]) -> None:
    os.environ["LOCAL_RANK"] = str(number)  # by which Lightning knows that it need not start the other one
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=number, world_size=2)
    torch.save(train_all(models, number, 2), folder / f"rank-{number}.pt")
    dist.destroy_process_group()


def by_itself(folder: Path, models: list[str]) -> None:
    torch.save(train_all(models, 0, 1), folder / "alone.pt")


if __name__ == "__main__":
    folder, models = Path(sys.argv[1]), sys.argv[2:]
    prepare()
    ranks = [forked(partial(rank, number, folder, models)) for number in (0, 1)]
    alone = forked(partial(by_itself, folder, models))
    sys.exit(not all_succeeded([*ranks, alone]))
