"""Train every family in a plain PyTorch loop, with which Lightning's is compared."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from bench.training.callbacks import ema
from datamodules.stream import BatchStream
from models.adversarial import AdversarialModel
from models.base import LOG_EVERY, GenerativeModel


class BareLoop:
    """One training, some batches at a time; it ends with the same weights as Lightning's.

    Args:
        model: with its initial weights; moved to `device` and trained in place.
        stream: the batches, on `device`.
        precision: as Lightning names it, "32-true" or "bf16-mixed".
    """

    def __init__(self, model: GenerativeModel, stream: BatchStream, precision: str, device: torch.device) -> None:
        model.to(device)
        self.model, self.batches, self.done = model, iter(stream), 0
        self.curve: list[float] = []
        self.averages = None
        if model.ema_decay:
            average: Any = ema(model.ema_decay)
            self.averages = AveragedModel(model, use_buffers=False, multi_avg_fn=average)
        # no cache, as in Lightning: weights first used without gradients would be cached without them
        self.autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=precision == "bf16-mixed", cache_enabled=False
        )
        # a family uses its trainer only for the length of its schedule and to log its losses
        model.trainer = SimpleNamespace(num_training_batches=len(stream), max_epochs=1)  # type: ignore[assignment]
        model.log_losses = self.log_losses  # type: ignore[method-assign]
        configuration: Any = model.configure_optimizers()
        if isinstance(configuration, dict):
            self.optimizers, self.schedules = [configuration["optimizer"]], [configuration["lr_scheduler"]["scheduler"]]
        else:
            self.optimizers, self.schedules = configuration

    def log_losses(self, **losses: Tensor) -> None:
        if (self.done + 1) % LOG_EVERY == 0:
            self.curve.append(float(losses["loss"].detach()))

    def turn(self, batches: int, seconds: float) -> int:
        """Train on the next `batches` batches, however long it takes; return the number of images."""
        images = 0
        for _ in range(batches):
            batch = next(self.batches)
            images += len(batch[0])
            if self.model.automatic_optimization:
                self.step(batch)
            else:
                self.adversarial_step(batch)
            for schedule in self.schedules:
                schedule.step()
            if self.averages:
                self.averages.update_parameters(self.model)
            self.done += 1
        return images

    def step(self, batch: tuple[Tensor, Tensor]) -> None:
        (optimizer,) = self.optimizers
        with self.autocast:
            loss = self.model.training_step(batch, self.done)
        assert isinstance(loss, Tensor)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def adversarial_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """`AdversarialModel.training_step` without Lightning's manual optimization."""
        model, (optimizer_d, optimizer_g) = self.model, self.optimizers
        assert isinstance(model, AdversarialModel)
        with self.autocast:
            seen = model.draw(*batch)
            loss_d = model.discriminator_loss(seen)
            penalized = loss_d + model.penalties(seen) if self.done % model.PENALTY_EVERY == 0 else loss_d
            optimizer_d.zero_grad()
            penalized.backward()
            optimizer_d.step()
            model.discriminator.requires_grad_(False)
            loss_g = model.generator_loss(seen)
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()
            model.discriminator.requires_grad_(True)
        self.log_losses(loss=loss_g)
