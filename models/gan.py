"""Generative adversarial network."""

from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.adversarial import AdversarialModel, Seen
from models.base import DataSpec, noise, sampling
from models.conditional import ClusterCount, Condition, check_labels, class_count, clusters_of
from models.losses import discriminator_non_saturating, generator_non_saturating, relativistic
from models.networks.autoencoder import Architecture, LinearDecoder
from models.networks.dcgan import Discriminator, Generator
from models.networks.initial import keep_variance
from models.networks.perceptron import LinearDiscriminator
from models.networks.projection import LabelledGenerator, ProjectionDiscriminator
from models.ranks import own_share


class GAN(AdversarialModel):
    """Goodfellow et al. 2014 (arXiv:1406.2661) with its non-saturating loss, in networks of DCGAN's size.

    Stabilised by the R1 gradient penalty of Mescheder et al. 2018 (arXiv:1801.04406, Section 4.1), for which the paper
    proves that the game converges locally, applied lazily. Adam with beta_1 = 0 as in Karras et al. 2020. Both networks
    learn from each batch, so a batch counts once in the budget. Samples come from the generator's averaged weights.

    With the relativistic loss and penalty "r1+r2" it plays the game of Huang et al. 2025 (R3GAN, arXiv:2501.05441),
    which pairs each real image with a generated one and converges locally with both penalties. Departures: the
    penalties are lazy, and gamma, the rates and beta_2 follow no schedule but the rate's decay.

    latent_dim: dimension of z. architecture: "conv" or "linear" (fully connected: an autoencoder's decoder and tanh
    against a `LinearDiscriminator`). width: channels at full resolution of the generator and after the first
    convolution of the discriminator, unused by "linear". hidden: width of the fully connected layers, unused by "conv".
    loss: "non-saturating" or "relativistic". penalty: of gradients at real images, "r1", or at generated ones as well,
    "r1+r2". r1_gamma: weight of either (0: none); it scales with the square of the data's unit. learning_rate: of both
    Adams, decayed to zero by a half cosine. beta_2: of both Adams. ema_decay: of the weights that sample. condition:
    "label" gives both networks the labels, the discriminator by projection (Miyato and Koyama 2018, arXiv:1802.05637),
    "cluster" the numbers of so many `clusters` in the labels' place, see `Clusters`.
    """

    family = "gan"

    def __init__(
        self,
        data: DataSpec,
        *,
        latent_dim: PositiveInt = 64,
        architecture: Architecture = "conv",
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        loss: Literal["non-saturating", "relativistic"] = "non-saturating",
        penalty: Literal["r1", "r1+r2"] = "r1",
        r1_gamma: NonNegativeFloat = 1.0,
        learning_rate: PositiveFloat = 1e-3,
        beta_2: Annotated[float, Ge(0), Lt(1)] = 0.99,
        ema_decay: Annotated[float, Gt(0), Lt(1)] = 0.999,
        condition: Condition = "none",
        clusters: ClusterCount = 200,
    ) -> None:
        super().__init__(data)
        self.classes, self.clusters = class_count(data, condition), clusters_of(data, condition, clusters)
        inputs = 2 * latent_dim if self.groups else latent_dim
        if penalty == "r1+r2" and r1_gamma == 0:
            raise ValueError(f"penalty={penalty}: r1_gamma=0 gives it no weight; choose r1_gamma > 0 or penalty=r1")
        if architecture == "conv":
            generator: nn.Module = Generator(data.image_shape, inputs, width).to(memory_format=torch.channels_last)
            discriminator: Any = Discriminator(data.image_shape, width).to(memory_format=torch.channels_last)
        else:
            decoder = LinearDecoder(data.image_shape, inputs, hidden).apply(keep_variance)
            generator = nn.Sequential(decoder, nn.Tanh())
            discriminator = LinearDiscriminator(data.image_shape, hidden)
        if self.groups:
            generator = LabelledGenerator(generator, self.groups, latent_dim)
            discriminator = ProjectionDiscriminator(discriminator, self.groups)
        self.generator, self.discriminator = generator, discriminator
        if loss == "relativistic":  # differences of logits do not depend on the last bias
            *_, last = (layer for layer in self.discriminator.modules() if isinstance(layer, nn.Linear))
            last.register_parameter("bias", None)
        self.latent_dim = latent_dim
        self.loss = loss
        self.penalty = penalty
        self.r1_gamma = r1_gamma
        self.learning_rate = learning_rate
        self.betas = (0.0, beta_2)
        self.ema_decay = ema_decay

    def draw(self, x: Tensor, y: Tensor) -> Seen:
        z = own_share(lambda m: torch.randn(m, self.latent_dim, device=x.device), len(x))
        labels = (y,) if self.groups else ()
        return x, self.generator(z, *labels), *labels

    def discriminator_loss(self, seen: Seen) -> Tensor:
        x, fake, *labels = seen
        twice = [torch.cat([y, y]) for y in labels]
        real_logits, fake_logits = self.discriminator(torch.cat([x, fake.detach()]), *twice).float().chunk(2)
        if self.loss == "relativistic":
            return relativistic(real_logits, fake_logits)
        return discriminator_non_saturating(real_logits, fake_logits)

    def penalties(self, seen: Seen) -> Tensor:
        """R1 on the real images and, if set, R2 on the generated ones."""
        x, fake, *labels = seen
        r1 = self.lazy_penalty(lambda x: self.discriminator(x, *labels), x, self.r1_gamma)
        if self.penalty == "r1":
            return r1
        return r1 + self.lazy_penalty(lambda x: self.discriminator(x, *labels), fake, self.r1_gamma)

    def generator_loss(self, seen: Seen) -> Tensor:
        x, fake, *labels = seen
        fake_logits = self.discriminator(fake, *labels).float()
        if self.loss == "non-saturating":
            return generator_non_saturating(fake_logits)
        with torch.no_grad():
            real_logits = self.discriminator(x, *labels).float()
        return relativistic(fake_logits, real_logits)

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        labels = self.draw_groups(n, generator)
        z = noise((n, self.latent_dim), generator, self.device)
        return self.generator(z) if labels is None else self.generator(z, labels)

    @sampling
    def sample_given(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        z = noise((len(labels), self.latent_dim), generator, self.device)
        return self.generator(z, check_labels(labels, self.classes))
