"""The generator of a denoising diffusion GAN: a diffusion model's network with a latent variable beside the time."""

import torch
from torch import Tensor, nn

from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet


class LatentDenoiser(nn.Module):
    """x_t (N x C x H x W), t (N), z (N x latent) -> x_0 in [-1, 1], like x_t, float32.

    A mapping network's image of z is added to the embedding of t, so that both scale and shift the normalised features
    (Xiao, Kreis and Vahdat 2022, arXiv:2112.07804, Appendix C, after StyleGAN). latent_dim = 0: x_0 follows from x_t.
    The network's last layer does not start at zero, from which all images would be one and stay together.
    """

    def __init__(self, network: UNet | ResidualPerceptron, latent_dim: int) -> None:
        super().__init__()
        self.network = network
        network.out.reset_parameters()
        width = network.embedding
        self.mapping = (
            nn.Sequential(nn.Linear(latent_dim, width), nn.SiLU(), nn.Linear(width, width)) if latent_dim else None
        )

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        embedding = self.network.time_embedding(t)
        if self.mapping is not None:
            embedding = embedding + self.mapping(z)
        return torch.tanh(self.network.predict(x_t, embedding))
