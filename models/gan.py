"""Generative adversarial network."""

from typing import Annotated, cast

import torch
from annotated_types import Ge, Gt, Lt
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from models.base import GenerativeModel, ImageShape, noise, sampling
from models.losses import discriminator_non_saturating, generator_non_saturating, r1_penalty
from models.networks.autoencoder import Architecture, LinearDecoder
from models.networks.dcgan import Discriminator, Generator
from models.networks.initial import keep_variance
from models.networks.perceptron import LinearDiscriminator
from models.ranks import average, own_share


class GAN(GenerativeModel):
    """Goodfellow et al. 2014 (arXiv:1406.2661) with its non-saturating loss, in networks of DCGAN's size.

    Stabilised by the R1 gradient penalty of Mescheder et al. 2018 (arXiv:1801.04406), the one regulariser that the
    paper proves to make the non-saturating game converge locally; applied every 16th batch with 16 times the weight
    (Karras et al. 2020, arXiv:1912.04958, Section 3.1), so its double backward costs little. Adam with beta_1 = 0 as
    there. Both networks learn from each batch, so a batch counts once in the budget. Samples come from the generator's
    averaged weights.

    latent_dim: dimension of z. architecture: "conv" or "linear" (fully connected: an autoencoder's decoder and tanh
    against a `LinearDiscriminator`). width: channels at full resolution of the generator and after the first
    convolution of the discriminator, unused by "linear". hidden: width of the fully connected layers, unused by "conv".
    r1_gamma: weight of the penalty (0: none). learning_rate: of both Adams, decayed to zero by a half cosine. beta_2:
    of both Adams. ema_decay: of the weights that sample.
    """

    family = "gan"
    R1_EVERY = 16

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        latent_dim: PositiveInt = 64,
        architecture: Architecture = "conv",
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        r1_gamma: NonNegativeFloat = 1.0,
        learning_rate: PositiveFloat = 1e-3,
        beta_2: Annotated[float, Ge(0), Lt(1)] = 0.99,
        ema_decay: Annotated[float, Gt(0), Lt(1)] = 0.999,
    ) -> None:
        super().__init__(image_shape)
        self.automatic_optimization = False
        self.generator: nn.Module
        self.discriminator: nn.Module
        if architecture == "conv":
            self.generator = Generator(image_shape, latent_dim, width).to(memory_format=torch.channels_last)
            self.discriminator = Discriminator(image_shape, width).to(memory_format=torch.channels_last)
        else:
            decoder = LinearDecoder(image_shape, latent_dim, hidden).apply(keep_variance)
            self.generator = nn.Sequential(decoder, nn.Tanh())
            self.discriminator = LinearDiscriminator(image_shape, hidden)
        self.latent_dim = latent_dim
        self.r1_gamma = r1_gamma
        self.learning_rate = learning_rate
        self.beta_2 = beta_2
        self.ema_decay = ema_decay

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.generator,)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, _ = batch
        optimizer_d, optimizer_g = cast(list[LightningOptimizer], self.optimizers())
        fake = self.generator(own_share(lambda m: torch.randn(m, self.latent_dim, device=x.device), len(x)))

        with optimizer_d.toggle_model(sync_grad=False):
            logits = self.discriminator(torch.cat([x, fake.detach()]))
            loss_d = discriminator_non_saturating(*logits.float().chunk(2))
            self.move(optimizer_d, loss_d + self.lazy_r1(x) if batch_idx % self.R1_EVERY == 0 else loss_d)
        with optimizer_g.toggle_model(sync_grad=False):
            loss_g = generator_non_saturating(self.discriminator(fake).float())
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

    def lazy_r1(self, x: Tensor) -> Tensor:
        """gamma / 2 times the R1 penalty of `x`, scaled up for the batches that skip it; in float32."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.detach().requires_grad_()
            return 0.5 * self.r1_gamma * self.R1_EVERY * r1_penalty(self.discriminator(x), x)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=self.learning_rate, betas=(0.0, self.beta_2), fused=True)
            for network in (self.discriminator, self.generator)
        ]
        return optimizers, [self.cosine_to_zero(optimizer) for optimizer in optimizers]

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.generator(noise((n, self.latent_dim), generator, self.device))
