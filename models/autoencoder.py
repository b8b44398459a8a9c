"""Plain autoencoder, sampled from a Gaussian that is fitted to its latents."""

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, inference, sampling
from models.networks.autoencoder import Architecture, encoder_and_decoder
from models.networks.running_gaussian import RunningGaussian

# Of a batch's weight in the Gaussian, at each later batch: a window of about 100 batches, over the last of which the
# rate's half cosine hardly moves the weights any more, so that the latents are those of the final encoder.
DECAY = 0.99


class Autoencoder(GenerativeModel):
    """Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks
    (doi:10.1126/science.1127647), trained end to end on the mean squared error.

    It has no density of its own. Samples are decoded draws from one Gaussian of full covariance, fitted to the latents
    after the fact: the simplest ex-post density of Ghosh et al. 2020, From Variational to Deterministic Autoencoders
    (arXiv:1903.12436), Section 4, here without their regularised decoder. What is fitted are the latents that the
    training batches had when they were trained on, over about the last 100 batches (`DECAY`), on all ranks.

    latent_dim: dimension of the bottleneck. architecture: "conv" or "linear" (fully connected). width: channels of the
    first convolution, unused by "linear". hidden: width of the fully connected layers. learning_rate: of Adam, decayed
    to zero by a half cosine.
    """

    family = "autoencoder"

    def __init__(
        self,
        data: DataSpec,
        *,
        latent_dim: PositiveInt = 16,
        architecture: Architecture = "conv",
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
    ) -> None:
        super().__init__(data)
        self.latent_dim = latent_dim
        self.learning_rate = learning_rate
        self.encoder, self.decoder = encoder_and_decoder(
            architecture, data.image_shape, latent_dim, latent_dim, width=width, hidden=hidden
        )
        self.latents = RunningGaussian(latent_dim, DECAY)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.decoder,)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        z = self.encoder(x)
        self.latents.update(z.detach().float())
        loss = F.mse_loss(self.decoder(z).float(), x)
        self.log_losses(loss=loss)
        return loss

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.decoder(self.latents.sample(n, generator))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The latents of images: N x latent_dim, float32."""
        return self.encoder(x).float()

    @sampling
    def decode(self, z: Tensor) -> Tensor:
        """N x latent_dim -> images, N x C x H x W in [-1, 1]."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """`decode` of `encode`."""
        return self.decode(self.encode(x))
