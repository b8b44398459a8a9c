"""What adversarial models share: two players that move in turn, and a gradient penalty on one batch in sixteen."""

from abc import abstractmethod
from collections.abc import Callable
from typing import cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from models.base import DataSpec, GenerativeModel
from models.losses import gradient_penalty
from models.ranks import average

Seen = tuple[Tensor, ...]  # what both players see of a batch: images, generated images, and what belongs to them


class AdversarialModel(GenerativeModel):
    """A generator that samples and a discriminator, trained by Adams whose rates fall to zero by half cosines.

    Gradient penalties are applied every `PENALTY_EVERY`-th batch with as many times the weight (Karras et al. 2020,
    arXiv:1912.04958, Section 3.1), so that their double backward costs little.
    """

    PENALTY_EVERY = 16
    generator: nn.Module
    discriminator: nn.Module
    betas: tuple[float, float]  # of both Adams
    generator_rate: float | None = None  # the generator's peak; None: `learning_rate`, which is the discriminator's

    def __init__(self, data: DataSpec) -> None:
        super().__init__(data)
        self.automatic_optimization = False

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.generator,)

    @abstractmethod
    def draw(self, x: Tensor, y: Tensor) -> Seen:
        """Generate what the real images x (N x C x H x W) are compared with; gradients reach the generator.

        y: their labels, int64 N.
        """

    @abstractmethod
    def discriminator_loss(self, seen: Seen) -> Tensor:
        """The discriminator's loss, without gradients of the generator."""

    @abstractmethod
    def penalties(self, seen: Seen) -> Tensor:
        """The gradient penalties that are added to it on one batch in `PENALTY_EVERY`."""

    @abstractmethod
    def generator_loss(self, seen: Seen) -> Tensor:
        """The generator's loss, against the discriminator as it is after its step."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        optimizer_d, optimizer_g = cast(list[LightningOptimizer], self.optimizers())
        seen = self.draw(*batch)
        with optimizer_d.toggle_model(sync_grad=False):
            loss_d = self.discriminator_loss(seen)
            self.move(optimizer_d, loss_d + self.penalties(seen) if batch_idx % self.PENALTY_EVERY == 0 else loss_d)
        with optimizer_g.toggle_model(sync_grad=False):
            loss_g = self.generator_loss(seen)
            self.move(optimizer_g, loss_g)
        for scheduler in cast(list[LambdaLR], self.lr_schedulers()):
            scheduler.step()
        self.log_losses(loss=loss_g, discriminator=loss_d)

    def move(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        """One player's step along its gradient over all ranks' images.

        The ranks' gradients are averaged here and not by DDP, which waits for those of both players in each backward
        pass, or has to search for them and exchange them all.
        """
        optimizer.zero_grad()
        self.manual_backward(loss)
        mine = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        average([parameter.grad for parameter in mine if parameter.grad is not None])
        optimizer.step()

    def lazy_penalty(self, logits: Callable[[Tensor], Tensor], images: Tensor, gamma: float) -> Tensor:
        """gamma / 2 times the penalty of `logits` at the images, scaled up for the batches that skip it; in float32."""
        with torch.autocast(images.device.type, enabled=False):
            x = images.detach().float().requires_grad_()
            return 0.5 * gamma * self.PENALTY_EVERY * gradient_penalty(logits(x), x)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        rates = {self.discriminator: self.learning_rate, self.generator: self.generator_rate or self.learning_rate}
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=self.betas, fused=True)
            for network, rate in rates.items()
        ]
        return optimizers, [self.cosine_to_zero(optimizer) for optimizer in optimizers]
