"""Denoising autoencoder, sampled as a Markov chain."""

from collections.abc import Callable

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, inference, sampling
from models.corruption import CORRUPTIONS, Kind, random_numbers, salt_and_pepper
from models.losses import bits_per_dim, discretized_logistic_log_likelihood
from models.networks.autoencoder import ConvDecoder, ConvEncoder
from models.networks.initial import keep_variance

WALKBACK = 0.5  # probability that a training chain walks on from where it is
LONGEST_WALK = 5  # steps, at which it is cut


def chain(corrupt: Callable[[Tensor], Tensor], draw: Callable[[Tensor], Tensor], x: Tensor, steps: int) -> Tensor:
    """x_steps of the Markov chain x_{t+1} ~ P(X | X~_t), X~_t ~ C(X~ | x_t) from x_0 = x.

    `corrupt` samples C, `draw` samples P. Bengio et al. 2013 (arXiv:1305.6663), Section 3: where P is the exact
    posterior of clean images under C, the chain's stationary distribution is that of the clean images (Theorem 1).
    """
    for _ in range(steps):
        x = draw(corrupt(x))
    return x


def draw_levels(mean: Tensor, log_scale: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A draw from the distribution of `discretized_logistic_log_likelihood`: 8-bit levels in [-1, 1], like `mean`."""
    x = mean + log_scale.exp() * torch.logit(random_numbers(torch.rand, tuple(mean.shape), generator, mean.device))
    return ((x.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


class DAE(GenerativeModel):
    """Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders
    (doi:10.1145/1390156.1390294), made a generative model by Bengio et al. 2013, Generalized Denoising Auto-Encoders
    as Generative Models (arXiv:1305.6663).

    One network learns P(X | X~), the clean image behind a corrupted one, by maximum likelihood: a logistic over the 256
    levels of each pixel, with the network's mean and one learned scale. It has no skip connections, so the code between
    encoder and decoder is all that it knows. It is not told the level: that is drawn for every image uniformly between
    0 and `level`, where the papers hold it fixed, so that one network denoises at all levels; this mixture is the
    chain's C(X~ | X), too. Training walks back (Algorithm 1): its inputs are corruptions of where chains from the clean
    images have got to.

    corruption: "salt_and_pepper", "masking" or "gaussian", see `models.corruption`. level: its greatest strength, a
    standard deviation for "gaussian" and a probability, at most 1, for the others. latent_dim: dimension of the code.
    width: channels of the first convolution. hidden: width of the fully connected layers. learning_rate: of Adam,
    decayed to zero by a half cosine.
    """

    family = "autoencoder"

    def __init__(
        self,
        data: DataSpec,
        *,
        corruption: Kind = "salt_and_pepper",
        level: PositiveFloat = 0.6,
        latent_dim: PositiveInt = 128,
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
    ) -> None:
        super().__init__(data)
        if corruption != "gaussian" and level > 1:
            raise ValueError(f"level={level}: with corruption={corruption} it is a probability, at most 1")
        self.corruption = corruption
        self.level = level
        self.noise_levels = tuple(level * fifth / 5 for fifth in range(1, 6))
        self.latent_dim = latent_dim
        self.learning_rate = learning_rate
        self.autoencoder = nn.Sequential(
            ConvEncoder(data.image_shape, latent_dim, width=width, hidden=hidden),
            ConvDecoder(data.image_shape, latent_dim, width=width, hidden=hidden),
        ).apply(keep_variance)
        self.log_scale = nn.Parameter(torch.tensor(-2.0))

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.autoencoder,)

    def posterior(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Means, N x C x H x W, and log-scale of P(X | X~)."""
        return self.autoencoder(noisy).float(), self.log_scale

    def loss(self, x: Tensor, noisy: Tensor) -> Tensor:
        """-log P(x | noisy) for each image, in nats of 8-bit images."""
        return -discretized_logistic_log_likelihood(x, *self.posterior(noisy))

    def transition(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw from C(X~ | X): every image corrupted at a level of its own."""
        level = self.level * random_numbers(torch.rand, (len(x), 1, 1, 1), generator, x.device)
        return CORRUPTIONS[self.corruption](x, level, generator)

    def walk(self, x: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """`steps` of the chain from x."""
        return chain(
            lambda x: self.transition(x, generator), lambda x: draw_levels(*self.posterior(x), generator), x, steps
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        # Algorithm 1: geometric lengths; one for the batch of all ranks, in place of one an image and the loss at
        # every step
        steps = 0
        while steps < LONGEST_WALK and torch.rand(()) < WALKBACK:
            steps += 1
        with torch.no_grad():
            walked = self.walk(x, steps)
        loss = self.loss(x, self.transition(walked)).mean()
        self.log_losses(loss=loss, bits_per_dim=bits_per_dim(loss, x[0].numel()))
        return loss

    def passes(self, *, steps: int = 100) -> int:  # type: ignore[override]  # its keywords are those of `sample`
        return steps

    @sampling
    def sample(self, n: int, generator: torch.Generator, *, steps: PositiveInt = 100) -> Tensor:
        """Draw images by n independent chains of `steps` transitions, from values that a fair coin makes -1 or 1.

        Of the last transition it is the mean of P(X | X~) that comes back, as the paper shows its samples.
        """
        x = salt_and_pepper(torch.zeros(n, *self.image_shape, device=self.device), 1.0, generator)
        mean, _ = self.posterior(self.transition(self.walk(x, steps - 1, generator), generator))
        return mean

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code of images, clean or corrupted: N x latent_dim, float32."""
        return self.autoencoder[0](x).float()

    @sampling
    def decode(self, z: Tensor) -> Tensor:
        """The means of P(X | X~) for codes, N x latent_dim."""
        return self.autoencoder[1](z)

    def denoise(self, x: Tensor) -> Tensor:
        """The mean of P(X | X~ = x), clipped to [-1, 1], at whatever level x was corrupted."""
        return self.decode(self.encode(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """What it takes a clean image for: `denoise`."""
        return self.denoise(x)

    @inference
    def corrupt(self, x: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """The images at one level of the model's corruption, from 0 to `level` in training; see `models.corruption`."""
        return CORRUPTIONS[self.corruption](x, level, generator)
