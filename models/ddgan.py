"""Denoising diffusion generative adversarial network."""

from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from models.adversarial import AdversarialModel, Seen
from models.base import DataSpec, noise, sampling
from models.diffusion.process import Process, vp_beta
from models.losses import discriminator_non_saturating, generator_non_saturating
from models.networks.autoencoder import Architecture
from models.networks.latent_denoiser import LatentDenoiser
from models.networks.pair_discriminator import LinearPairDiscriminator, PairDiscriminator
from models.networks.perceptron import ResidualPerceptron
from models.networks.unet import UNet
from models.ranks import own_share


class DenoisingDiffusionGAN(AdversarialModel):
    """Xiao, Kreis and Vahdat 2022, Tackling the Generative Learning Trilemma with Denoising Diffusion GANs.

    arXiv:2112.07804. A diffusion process of T long steps, each undone by a GAN: the generator predicts x_0 from x_t and
    a latent z, x_{t-1} is drawn from q(x_{t-1} | x_t, x_0), and the discriminator compares it with the process's own
    x_{t-1} beside the same x_t. So x_{t-1} given x_t may have many modes, which a Gaussian has not. Samples take T
    passes of the averaged weights.

    Departures from the authors' code: both players learn from one batch and its x_t; R1 on every 16th batch has 16
    times the weight; the generator's rate is a tenth of the discriminator's, which it outran at equal rates, and both
    decay to zero; times and latent both modulate the suite's own U-Net.

    T: steps; the paper's choice is 4, and 1 is a GAN. latent_dim: dimension of z (0: none, and x_0 is a function of
    x_t, as in the paper's ablation). architecture: "conv" or "linear" (fully connected). channels, patch, attention: of
    the U-Net, see `UNet`, unused by "linear". blocks: of the U-Net at each resolution, of the perceptron in all. width:
    channels after the discriminator's first convolution, unused by "linear". hidden: width of the fully connected
    layers, unused by "conv". r1_gamma: weight of the gradient penalty at real x_{t-1} (0: none). learning_rate,
    generator_rate: of the discriminator's and of the generator's Adam, decayed to zero by a half cosine. beta_1,
    beta_2: of both Adams. ema_decay: of the weights that sample.
    """

    family = "diffusion-gan"
    coefficients: Tensor

    def __init__(
        self,
        data: DataSpec,
        *,
        T: PositiveInt = 4,
        latent_dim: NonNegativeInt = 64,
        architecture: Architecture = "conv",
        channels: Annotated[list[PositiveInt], MinLen(1)] = [32, 64],  # noqa: B006, never changed
        blocks: PositiveInt = 1,
        patch: PositiveInt = 2,
        attention: bool = False,
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        r1_gamma: NonNegativeFloat = 0.05,
        learning_rate: PositiveFloat = 1e-3,
        generator_rate: PositiveFloat = 1e-4,
        beta_1: Annotated[float, Ge(0), Lt(1)] = 0.0,
        beta_2: Annotated[float, Ge(0), Lt(1)] = 0.99,
        ema_decay: Annotated[float, Gt(0), Lt(1)] = 0.999,
    ) -> None:
        super().__init__(data)
        if architecture == "conv" and channels[0] % 2:
            raise ValueError(f"channels={channels}: the first entry must be even, for sines and cosines of the time")
        self.process = Process(vp_beta(T))
        self.register_buffer("coefficients", posterior_coefficients(self.process).float(), persistent=False)
        if architecture == "conv":
            unet = UNet(data.image_shape[0], channels, blocks, patch, attention)
            self.generator = LatentDenoiser(unet, latent_dim).to(memory_format=torch.channels_last)
            self.discriminator = PairDiscriminator(data.image_shape, width).to(memory_format=torch.channels_last)
        else:
            self.generator = LatentDenoiser(ResidualPerceptron(data.image_shape, hidden, blocks), latent_dim)
            self.discriminator = LinearPairDiscriminator(data.image_shape, hidden)
        self.latent_dim = latent_dim
        self.r1_gamma = r1_gamma
        self.learning_rate = learning_rate
        self.generator_rate = generator_rate
        self.betas = (beta_1, beta_2)
        self.ema_decay = ema_decay

    def draw(self, x: Tensor, y: Tensor) -> Seen:
        """x_{t-1} of the process and of the generator, both before the same x_t, with x_t and t."""
        t = own_share(lambda m: torch.randint(1, self.process.T + 1, (m,), device=x.device), len(x))
        z = own_share(lambda m: torch.randn(m, self.latent_dim, device=x.device), len(x))
        x_t = self.process.q_sample(x, t, self.shared_noise(x))
        real = self.step_back(x_t, x, t, self.shared_noise(x))
        fake = self.step_back(x_t, self.generator(x_t, t, z), t, self.shared_noise(x))
        return real, fake, x_t, t

    def discriminator_loss(self, seen: Seen) -> Tensor:
        real, fake, x_t, t = seen
        logits = self.discriminator(torch.cat([real, fake.detach()]), torch.cat([x_t, x_t]), torch.cat([t, t]))
        return discriminator_non_saturating(*logits.float().chunk(2))

    def penalties(self, seen: Seen) -> Tensor:
        """R1: of the discriminator's gradient by the process's own x_{t-1} alone, not by x_t."""
        real, _, x_t, t = seen
        return self.lazy_penalty(lambda x: self.discriminator(x, x_t, t), real, self.r1_gamma)

    def generator_loss(self, seen: Seen) -> Tensor:
        _, fake, x_t, t = seen
        return generator_non_saturating(self.discriminator(fake, x_t, t).float())

    def shared_noise(self, x: Tensor) -> Tensor:
        """This rank's share of standard normal noise like x."""
        return own_share(lambda m: torch.randn(m, *self.image_shape, device=x.device), len(x))

    def step_back(self, x_t: Tensor, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_{t-1} of q(x_{t-1} | x_t, x_0) for times t (N) and standard normal `eps`."""
        of_x_0, of_x_t, of_eps = self.coefficients[t - 1].view(-1, 3, 1, 1, 1).unbind(1)
        return of_x_0 * x_0 + of_x_t * x_t + of_eps * eps

    def passes(self, **settings: Any) -> int:
        return self.process.T

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = noise((n, *self.image_shape), generator, self.device)
        for time in range(self.process.T, 0, -1):
            t = torch.full((n,), time, device=self.device)
            z = noise((n, self.latent_dim), generator, self.device)
            x = self.step_back(x, self.generator(x, t, z), t, noise(tuple(x.shape), generator, self.device))
        return x


def posterior_coefficients(process: Process) -> Tensor:
    """What x_0, x_t and the noise count in x_{t-1} of q(x_{t-1} | x_t, x_0), for t = 1 ... T: float64, T x 3."""
    zero, unit = torch.tensor([0.0, 1.0], dtype=torch.float64)
    steps = [(t, t - 1) for t in range(1, process.T + 1)]
    of_x_0, variance = zip(*(process.posterior(zero, unit, t, s) for t, s in steps), strict=True)
    of_x_t, _ = zip(*(process.posterior(unit, zero, t, s) for t, s in steps), strict=True)
    return torch.stack(
        [torch.stack(of_x_0), torch.stack(of_x_t), torch.tensor(variance, dtype=torch.float64).sqrt()], 1
    )
