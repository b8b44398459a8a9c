"""Variational autoencoder."""

import math

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, inference, noise, sampling
from models.conditional import ClusterCount, Condition, check_labels, class_count, clusters_of
from models.losses import bits_per_dim, discretized_logistic_log_likelihood, kl_to_standard_normal
from models.networks.autoencoder import Architecture, encoder_and_decoder
from models.networks.layers import zeroed
from models.protocols import Bound
from models.ranks import own_share

DRAWS = 64  # of z for an image, by which its likelihood is bounded


class VAE(GenerativeModel):
    """Kingma and Welling 2014, Auto-Encoding Variational Bayes (arXiv:1312.6114).

    p(z) = N(0, I); q(z | x) a diagonal Gaussian; p(x | z) a logistic over the 256 levels of each pixel, with the
    decoder's mean and one learned scale, so that the bound is in nats of 8-bit images and converts to bits/dim. Samples
    are decoder means, not draws from p(x | z): what a reader expects of a VAE's picture, without its pixel noise. For
    data between the levels, such as points of the plane, that integral is a density as well, in units of a level: the
    logistic smoothed over +-1/255.

    latent_dim: dimension of z. beta: weight of the KL term (1: the ELBO; Higgins et al. 2017 otherwise).
    architecture: "conv" or "linear" (fully connected), as the lecture shows both. width: channels of the first
    convolution, unused by "linear". hidden: width of the fully connected layers. learning_rate: of Adam, decayed to
    zero by a half cosine. condition: "label" gives the decoder the label and each label a prior of its own, so that
    the model is p(x | y) (Sohn, Lee and Yan 2015, Learning Structured Output Representation using Deep Conditional
    Generative Models): p(z | y) is a diagonal Gaussian, learned from N(0, I) on. Departure from it: q(z | x) is not
    told the label, which its image shows. "cluster" has one of so many `clusters` in the label's place, see `Clusters`.
    """

    family = "autoregressive-vae"

    def __init__(
        self,
        data: DataSpec,
        *,
        latent_dim: PositiveInt = 16,
        beta: NonNegativeFloat = 1.0,
        architecture: Architecture = "conv",
        width: PositiveInt = 32,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
        condition: Condition = "none",
        clusters: ClusterCount = 200,
    ) -> None:
        super().__init__(data)
        self.classes, self.clusters = class_count(data, condition), clusters_of(data, condition, clusters)
        self.latent_dim = latent_dim
        self.beta = beta
        self.learning_rate = learning_rate
        self.encoder, self.decoder = encoder_and_decoder(
            architecture, data.image_shape, 2 * latent_dim, latent_dim + self.groups, width=width, hidden=hidden
        )
        self.log_scale = nn.Parameter(torch.tensor(-2.0))
        # of each label: mean and log-variance of z
        self.prior = zeroed(nn.Embedding(self.groups, 2 * latent_dim)) if self.groups else None

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.decoder,)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), N x latent_dim each."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance

    def given(self, z: Tensor, y: Tensor | None) -> Tensor:
        """The decoder's inputs: z and, in a conditional model, a one of K for each label y (int64 N)."""
        return z if y is None else torch.cat([z, F.one_hot(y, self.groups).to(z)], 1)

    def prior_of(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of p(z | y), N x latent_dim each."""
        assert self.prior is not None
        mean, log_variance = self.prior(y).chunk(2, dim=1)
        return mean, log_variance

    def decoded(self, eps: Tensor, y: Tensor | None) -> Tensor:
        """The decoder's images of z of the prior, by standard normal `eps`, N x latent_dim."""
        if y is None:
            return self.decoder(eps)
        mean, log_variance = self.prior_of(y)
        return self.decoder(self.given(mean + torch.exp(0.5 * log_variance) * eps, y))

    def terms(self, x: Tensor, eps: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The two terms of the negative ELBO for each image, in nats: -log p(x | z) and KL(q(z | x) || p(z)).

        z = mean + exp(log_variance / 2) * eps, for standard normal `eps`, N x latent_dim. y: labels N of a conditional
        model, whose terms are -log p(x | z, y) and KL(q(z | x) || p(z | y)).
        """
        mean, log_variance = self.posterior(x)
        # Section 2.4, the reparameterisation trick
        z = mean + torch.exp(0.5 * log_variance) * eps
        if y is not None:  # in units of p(z | y), which do not change the divergence
            prior_mean, prior_log_variance = self.prior_of(y)
            mean = (mean - prior_mean) * torch.exp(-0.5 * prior_log_variance)
            log_variance = log_variance - prior_log_variance
        return -self.log_likelihood(x, self.given(z, y)), kl_to_standard_normal(mean, log_variance)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) for each image, in nats; z: the decoder's inputs."""
        return discretized_logistic_log_likelihood(x, self.decoder(z).float(), self.log_scale)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        eps = own_share(lambda m: torch.randn(m, self.latent_dim, device=x.device), len(x))
        reconstruction, kl = (term.mean() for term in self.terms(x, eps, y if self.groups else None))
        # Eq. 3, negated: the loss is the negative ELBO for beta = 1
        loss = reconstruction + self.beta * kl
        elbo = reconstruction + kl
        self.log_losses(
            loss=loss, reconstruction=reconstruction, kl=kl, negative_elbo=elbo,
            bits_per_dim=bits_per_dim(elbo, x[0].numel()),
        )  # fmt: skip
        return loss

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        labels = self.draw_groups(n, generator)
        return self.decoded(noise((n, self.latent_dim), generator, self.device), labels)

    @sampling
    def sample_given(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        eps = noise((len(labels), self.latent_dim), generator, self.device)
        return self.decoded(eps, check_labels(labels, self.classes))

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The mean of q(z | x): N x latent_dim."""
        mean, _ = self.posterior(x)
        return mean

    @sampling
    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x | z), clipped to [-1, 1]."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """`decode` of `encode`."""
        return self.decode(self.encode(x))

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """The negative ELBO, and the bound of Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519).

        Both from the same `DRAWS` of z, the KL term as well (not its closed form): by Jensen's inequality the second is
        then at most the first for every single image, not just on average.
        """
        mean, log_variance = self.posterior(x)
        reconstruction, kl = torch.empty(2, DRAWS, len(x), device=x.device)
        for k in range(DRAWS):
            eps = noise(tuple(mean.shape), generator, x.device)
            z = mean + torch.exp(0.5 * log_variance) * eps
            reconstruction[k] = -self.log_likelihood(x, z)
            # log q(z | x) - log p(z), whose constants cancel
            kl[k] = 0.5 * (z.square() - eps.square() - log_variance).sum(1)
        # Eq. 8, negated: log w_k = log p(x, z_k) - log q(z_k | x)
        importance_weighted = math.log(DRAWS) - torch.logsumexp(-reconstruction - kl, 0)
        parts = {"reconstruction": reconstruction.mean(0), "KL": kl.mean(0)}
        terms = {name: bits_per_dim(part, x[0].numel()) for name, part in parts.items()}
        return [
            Bound("ELBO", terms["reconstruction"] + terms["KL"], terms),
            Bound(f"importance-weighted, {DRAWS} draws", bits_per_dim(importance_weighted, x[0].numel())),
        ]
