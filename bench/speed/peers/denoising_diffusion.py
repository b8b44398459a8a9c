"""denoising-diffusion-pytorch: its Unet and GaussianDiffusion, and the recipe of its Trainer.

The Trainer reads files from a folder and cannot be run a batch at a time, so its step stands here: Adam (rate 1e-4,
betas .9 and .99), gradients clipped at 1, an average of the weights every tenth batch, the loss read after each.
"""

from typing import Any

import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from ema_pytorch import EMA
from torch import Tensor, nn

from bench.speed.peers.stepwise import CHANNELS, Stepwise, train_alone


def unet(image_shape: tuple[int, int, int], channels: list[int]) -> Any:
    """Return its Unet with the channels of our U-Net at each of its stages; sides divisible by 2^(stages - 1).

    Its attention, in every stage, is part of it.
    """
    width = channels[0]
    return Unet(dim=width, dim_mults=tuple(count // width for count in channels), channels=image_shape[0])


def diffusion(net: nn.Module, image_shape: tuple[int, int, int], steps: int) -> Any:
    """Return its process around a network; it samples in as many steps as it has."""
    return GaussianDiffusion(net, image_size=image_shape[1:], timesteps=steps)


class DenoisingDiffusion(Stepwise):
    """Trains `net` on uint8 images, N x C x H x W, in batches of `batch`; autocast to bfloat16 if `bf16`."""

    def __init__(self, images: Tensor, net: nn.Module, batch: int, device: torch.device, bf16: bool) -> None:
        _, channels, height, width = images.shape
        self.model = diffusion(net, (channels, height, width), 1000).to(device)
        self.images, self.batch, self.device = images.to(device), batch, device
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4, betas=(0.9, 0.99))
        self.averages = EMA(self.model, beta=0.995, update_every=10).to(device)
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)

    def step(self) -> None:
        index = torch.randint(len(self.images), (self.batch,), device=self.device)
        with self.autocast:
            loss = self.model(self.images[index].float() / 255)  # which it scales to [-1, 1] itself
            loss.item()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.averages.update()


def with_own_network(images: Tensor, batch: int) -> DenoisingDiffusion:
    """Return a trainer of the library's own network, in float32 on the CPU."""
    _, channels, height, width = images.shape
    return DenoisingDiffusion(images, unet((channels, height, width), CHANNELS), batch, torch.device("cpu"), bf16=False)


if __name__ == "__main__":
    train_alone(with_own_network)
