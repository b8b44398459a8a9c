"""Variational autoencoder."""

from typing import Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import GenerativeModel, ImageShape, noise, sampling
from models.losses import bits_per_dim, discretized_logistic_log_likelihood, kl_to_standard_normal
from models.networks.autoencoder import ConvDecoder, ConvEncoder, LinearDecoder, LinearEncoder


class VAE(GenerativeModel):
    """Kingma and Welling 2014, Auto-Encoding Variational Bayes (arXiv:1312.6114).

    p(z) = N(0, I); q(z | x) a diagonal Gaussian; p(x | z) a logistic over the 256 levels of each pixel, with the
    decoder's mean and one learned scale, so that the bound is in nats of 8-bit images and converts to bits/dim. Samples
    are decoder means, not draws from p(x | z): what a reader expects of a VAE's picture, without its pixel noise.

    latent_dim: dimension of z. beta: weight of the KL term (1: the ELBO; Higgins et al. 2017 otherwise).
    architecture: "conv" or "linear" (fully connected), as the lecture shows both. width: channels of the first
    convolution, unused by "linear". hidden: width of the fully connected layers. learning_rate: of Adam, decayed to
    zero by a half cosine.
    """

    family = "autoregressive-vae"

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        latent_dim: PositiveInt = 16,
        beta: NonNegativeFloat = 1.0,
        architecture: Literal["conv", "linear"] = "conv",
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
    ) -> None:
        super().__init__(image_shape)
        self.latent_dim = latent_dim
        self.beta = beta
        self.learning_rate = learning_rate
        self.encoder: nn.Module
        self.decoder: nn.Module
        if architecture == "conv":
            self.encoder = ConvEncoder(image_shape, 2 * latent_dim, width=width, hidden=hidden)
            self.decoder = ConvDecoder(image_shape, latent_dim, width=width, hidden=hidden)
        else:
            self.encoder = LinearEncoder(image_shape, 2 * latent_dim, hidden=hidden)
            self.decoder = LinearDecoder(image_shape, latent_dim, hidden=hidden)
        self.log_scale = nn.Parameter(torch.tensor(-2.0))

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.decoder,)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), N x latent_dim each."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance

    def terms(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """The two terms of the negative ELBO for each image, in nats: -log p(x | z) and KL(q(z | x) || p(z)).

        z = mean + exp(log_variance / 2) * eps, for standard normal `eps`, N x latent_dim.
        """
        mean, log_variance = self.posterior(x)
        # Section 2.4, the reparameterisation trick
        z = mean + torch.exp(0.5 * log_variance) * eps
        log_p = discretized_logistic_log_likelihood(x, self.decoder(z).float(), self.log_scale)
        return -log_p, kl_to_standard_normal(mean, log_variance)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        eps = torch.randn(len(x), self.latent_dim, device=x.device)
        reconstruction, kl = (term.mean() for term in self.terms(x, eps))
        # Eq. 3, negated: the loss is the negative ELBO for beta = 1
        loss = reconstruction + self.beta * kl
        elbo = reconstruction + kl
        self.log_losses(
            loss=loss, reconstruction=reconstruction, kl=kl, negative_elbo=elbo,
            bits_per_dim=bits_per_dim(elbo, x[0].numel()),
        )  # fmt: skip
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.cosine_to_zero(optimizer), "interval": "step"},
        }

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.decoder(noise((n, self.latent_dim), generator, self.device))
