"""diffusers: its UNet2DModel, and the recipe of its examples/unconditional_image_generation/train_unconditional.py.

The recipe is a script and no part of the package: AdamW (rate 1e-4, betas .95 and .999, decay 1e-6), 500 batches of
warm-up and a half cosine, gradients clipped at 1, EMAModel with inverse gamma 1 and power 3/4. Batches come from
memory, where the script decodes files: what is compared is the training.
"""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from bench.speed.peers.stepwise import CHANNELS, Stepwise, train_alone

BATCHES = 100_000  # of the recipe's schedule, whose first part is all that is trained here


def unet(image_shape: tuple[int, int, int], channels: list[int]) -> Any:
    """Return a UNet2DModel with the stages, blocks and channels of our U-Net, without attention; even side lengths."""
    stages = len(channels)
    return UNet2DModel(
        sample_size=image_shape[1], in_channels=image_shape[0], out_channels=image_shape[0], layers_per_block=1,
        block_out_channels=tuple(channels), down_block_types=("DownBlock2D",) * stages,
        up_block_types=("UpBlock2D",) * stages, norm_num_groups=8, add_attention=False,
    )  # fmt: skip


class Diffusers(Stepwise):
    """Trains `net` on uint8 images, N x C x H x W, in batches of `batch`; autocast to bfloat16 if `bf16`.

    net: a UNet2DModel, or what is called like one.
    """

    def __init__(self, images: Tensor, net: nn.Module, batch: int, device: torch.device, bf16: bool) -> None:
        self.net = net.to(device)
        self.images, self.batch, self.device = images.to(device), batch, device
        self.process: Any = DDPMScheduler(1000)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6)
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, 500, BATCHES)
        self.averages = EMAModel(self.net.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)

    def step(self) -> None:
        index = torch.randint(len(self.images), (self.batch,), device=self.device)
        x = self.images[index].float() / 127.5 - 1
        noise = torch.randn_like(x)
        t = torch.randint(self.process.config.num_train_timesteps, (len(x),), device=self.device)
        with self.autocast:
            loss = F.mse_loss(self.net(self.process.add_noise(x, noise, t), t).sample.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.averages.step(self.net.parameters())


def with_own_network(images: Tensor, batch: int) -> Diffusers:
    """Return a trainer of the library's own network, in float32 on the CPU."""
    _, channels, height, width = images.shape
    return Diffusers(images, unet((channels, height, width), CHANNELS), batch, torch.device("cpu"), bf16=False)


if __name__ == "__main__":
    train_alone(with_own_network)
