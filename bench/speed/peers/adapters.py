"""Our denoiser as the networks of other libraries, so that their trainers and samplers run around it."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn


class AsUNet2D(nn.Module):
    """Adapt our denoiser to diffusers: times start at 0, and the result is an attribute."""

    def __init__(self, denoiser: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.config = SimpleNamespace(in_channels=image_shape[0], sample_size=image_shape[1])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def forward(self, x: Tensor, t: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=self.denoiser(x, t.to(x.device).expand(len(x)) + 1))


class AsUnet(nn.Module):
    """Adapt our denoiser to denoising-diffusion-pytorch: times start at 0, and nothing conditions it on itself."""

    self_condition = False
    random_or_learned_sinusoidal_cond = False

    def __init__(self, denoiser: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.channels = self.out_dim = image_shape[0]

    def forward(self, x: Tensor, t: Tensor, x_self_cond: None = None) -> Tensor:
        prediction: Tensor = self.denoiser(x, t + 1)
        return prediction
