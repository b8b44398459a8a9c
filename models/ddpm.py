"""Denoising diffusion probabilistic model."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Lt, MinLen
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import GenerativeModel, ImageShape, noise, sampling
from models.diffusion.process import Process, linear_beta
from models.diffusion.samplers import ancestral, ddim, times
from models.networks.unet import UNet

Fraction = Annotated[float, Gt(0), Lt(1)]


class DDPM(GenerativeModel):
    """Ho, Jain and Abbeel 2020, Denoising Diffusion Probabilistic Models (arXiv:2006.11239).

    T steps of variance beta_1 ... beta_T, the noise predicted by a U-Net, trained on L_simple, with averaged weights.

    channels, blocks, patch, attention: see `UNet`. learning_rate: peak of Adam's rate, reached after `warmup` batches
    and decayed to zero by a half cosine. ema_decay: of the weights that sample.
    """

    family = "diffusion"

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        T: Annotated[int, Ge(2)] = 1000,
        beta_1: Fraction = 1e-4,
        beta_T: Fraction = 0.02,
        channels: Annotated[list[PositiveInt], MinLen(1)] = [32, 64],  # noqa: B006, never changed
        blocks: PositiveInt = 1,
        patch: PositiveInt = 2,
        attention: bool = False,
        learning_rate: PositiveFloat = 2e-3,
        warmup: NonNegativeInt = 200,
        ema_decay: Fraction = 0.999,
    ) -> None:
        super().__init__(image_shape)
        if channels[0] % 2:
            raise ValueError(f"channels={channels}: the first entry must be even, for sines and cosines of the time")
        self.process = Process(linear_beta(T, beta_1, beta_T))
        self.unet = UNet(image_shape[0], channels, blocks, patch, attention).to(memory_format=torch.channels_last)
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.unet,)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_0, _ = batch
        t = self.spread_times(len(x_0), x_0.device)
        eps = torch.randn_like(x_0)
        # Algorithm 1 / Eq. 14, L_simple
        loss = F.mse_loss(self.unet(self.process.q_sample(x_0, t, eps), t), eps)
        self.log_losses(loss=loss)
        return loss

    def spread_times(self, n: int, device: torch.device) -> Tensor:
        """n times, each uniform on 1 ... T, but spread evenly over them together, so that the loss varies less.

        Kingma et al. 2021, Variational Diffusion Models (arXiv:2107.00630), Appendix I.1.
        """
        u = (torch.rand((), device=device) + torch.arange(n, device=device) / n) % 1
        return (u * self.process.T).long() + 1

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.cosine_to_zero(optimizer, self.warmup), "interval": "step"},
        }

    def passes(  # type: ignore[override]  # its keywords are those of `sample`
        self, *, method: str = "ancestral", steps: int | None = None
    ) -> int:
        return self.process.T if steps is None else steps

    def check_sampler(  # type: ignore[override]  # its keywords are those of `sample`
        self, *, method: str = "ancestral", steps: int | None = None
    ) -> None:
        times(self.process.T, self.process.T if steps is None else steps)

    @sampling
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        method: Literal["ancestral", "ddim"] = "ancestral",
        steps: PositiveInt | None = None,
    ) -> Tensor:
        """Draw images by `steps` steps (None: all T) of Ho et al.'s ancestral sampler or of DDIM (eta = 0)."""
        steps = self.process.T if steps is None else steps
        x_T = noise((n, *self.image_shape), generator, self.device)
        if method == "ancestral":
            return ancestral(self.unet, self.process, x_T, steps, generator)
        return ddim(self.unet, self.process, x_T, steps)
