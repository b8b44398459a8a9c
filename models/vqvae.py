"""Vector-quantised variational autoencoder with an autoregressive prior."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, inference, sampling
from models.conditional import ClusterCount, Condition, check_labels, class_count, clusters_of
from models.losses import bits_per_dim, discretized_logistic_log_likelihood
from models.networks.grid_autoencoder import GridDecoder, GridEncoder, grid_shape
from models.networks.quantiser import Quantised, Quantiser
from models.networks.transformer import Cache, CausalTransformer
from models.protocols import Bound


class CodePrior(nn.Module):
    """p(c) = product of p(c_i | c_0 ... c_{i-1}) over sequences of `length` codes among K = `size`.

    With `classes` it is p(c | y): each label y, int64 N, has a token of its own before the first code.
    """

    def __init__(self, size: int, length: int, dim: int, depth: int, heads: int, classes: int = 0) -> None:
        super().__init__()
        self.size = size  # the token before the first code, or that of label 0
        self.embedding = nn.Embedding(size + (classes or 1), dim)
        nn.init.normal_(self.embedding.weight, std=0.02)  # like the transformer's positions, which are added to it
        self.transformer = CausalTransformer(length, dim, depth, heads)
        self.head = nn.Linear(dim, size)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits of the codes that follow the tokens, N x l -> N x l x K, float32; see `CausalTransformer`."""
        return self.head(self.transformer(self.embedding(tokens), cache)).float()

    def start(self, n: int, y: Tensor | None) -> Tensor:
        """The tokens before the first codes of n sequences, n x 1."""
        y = torch.zeros(n, dtype=torch.int64, device=self.embedding.weight.device) if y is None else y
        return (self.size + y)[:, None]

    def log_p(self, codes: Tensor, y: Tensor | None = None) -> Tensor:
        """log p(c) of N x length codes, in nats: N values."""
        logits = self(torch.cat([self.start(len(codes), y), codes[:, :-1]], 1))
        return -F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="none").view(codes.shape).sum(1)

    def draw(self, u: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes by inverting the distribution function at uniform numbers u in [0, 1), N x length."""
        codes, cache = [self.start(len(u), y)], self.transformer.cache(len(u))
        for u_i in u.split(1, dim=1):
            cumulated = self(codes[-1], cache)[:, -1].softmax(1).cumsum(1)
            code = torch.searchsorted(cumulated, u_i * cumulated[:, -1:], right=True)
            codes.append(code.clamp_max(self.size - 1))  # where rounding leads past the last code
        return torch.cat(codes[1:], 1)


class VQVAE(GenerativeModel):
    """van den Oord, Vinyals and Kavukcuoglu 2017, Neural Discrete Representation Learning (arXiv:1711.00937).

    An image is a grid of codes, a quarter of its resolution, whose codebook is learned by moving averages (Appendix
    A.1). p(x | z) is the VAE's logistic over the 256 levels, so that bits/dim can be counted; samples are its means.

    Departures: the prior over the codes, in raster order, is a transformer instead of a PixelCNN, and is trained in
    the same steps, on codes that still move, instead of afterwards; it sends no gradient into the autoencoder. Codes
    that fall out of use start again, see `Quantiser`. The loss is Eq. 3 as it stands: nats of the whole image plus
    beta times the squared distances, summed over the grid, where the authors' code takes means of both.

    codebook_size: K. code_dim: D, of a code. beta: weight of the commitment. width: channels of the autoencoder.
    prior_dim, prior_depth, prior_heads: the transformer's width, layers and attention heads. learning_rate: of Adam,
    decayed to zero by a half cosine. condition: "label" makes the prior that of the codes given the label,
    "cluster" given one of so many `clusters`, see `Clusters`.
    """

    family = "autoregressive-vae"

    def __init__(
        self,
        data: DataSpec,
        *,
        codebook_size: Annotated[int, Ge(2)] = 64,
        code_dim: PositiveInt = 16,
        beta: NonNegativeFloat = 0.25,
        width: PositiveInt = 64,
        prior_dim: PositiveInt = 128,
        prior_depth: PositiveInt = 2,
        prior_heads: PositiveInt = 4,
        learning_rate: PositiveFloat = 2e-3,
        condition: Condition = "none",
        clusters: ClusterCount = 200,
    ) -> None:
        super().__init__(data)
        self.classes, self.clusters = class_count(data, condition), clusters_of(data, condition, clusters)
        if prior_dim % prior_heads:
            raise ValueError(f"prior_dim={prior_dim} cannot be divided among prior_heads={prior_heads}")
        self.codebook_size = codebook_size
        self.beta = beta
        self.learning_rate = learning_rate
        self.grid = grid_shape(data.image_shape)
        self.encoder = GridEncoder(data.image_shape[0], code_dim, width, blocks=2).to(memory_format=torch.channels_last)
        self.quantiser = Quantiser(codebook_size, code_dim)
        self.decoder = GridDecoder(data.image_shape, code_dim, width, blocks=2).to(memory_format=torch.channels_last)
        self.log_scale = nn.Parameter(torch.tensor(-2.0))
        self.prior = CodePrior(codebook_size, math.prod(self.grid), prior_dim, prior_depth, prior_heads, self.groups)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.prior, self.decoder)

    def passes(self) -> int:  # type: ignore[override]  # `sample` has no settings
        return math.prod(self.grid) + 1

    def terms(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor, Quantised]:
        """-log p(x | z) and -log p(z) at the image's own codes z, in nats, N values each, and the codes.

        y: labels N of a conditional model, whose second term is -log p(z | y).
        """
        z = self.quantiser(self.encoder(x))
        log_p = discretized_logistic_log_likelihood(x, self.decoder(z.grid).float(), self.log_scale)
        return -log_p, -self.prior.log_p(z.codes.flatten(1), y), z

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        nats, prior_nats, z = self.terms(x, y if self.groups else None)
        reconstruction, prior, commitment = nats.mean(), prior_nats.mean(), z.commitment.mean()
        # Eq. 3 without its second term, which the averages replace; the prior shares no weights with it
        loss = reconstruction + self.beta * commitment + prior
        self.log_losses(
            loss=loss, reconstruction=reconstruction, commitment=commitment, prior=prior, perplexity=z.perplexity,
            bits_per_dim=bits_per_dim(prior + reconstruction, x[0].numel()),
        )  # fmt: skip
        return loss

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.draw(n, self.draw_groups(n, generator), generator)

    @sampling
    def sample_given(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        return self.draw(len(labels), check_labels(labels, self.classes), generator)

    def draw(self, n: int, labels: Tensor | None, generator: torch.Generator) -> Tensor:
        """Images of given labels (None: of a model without), n x C x H x W."""
        u = torch.rand((n, math.prod(self.grid)), generator=generator, device=generator.device).to(self.device)
        return self.decoder(self.quantiser.lookup(self.prior.draw(u, labels).view(n, *self.grid)))

    @inference
    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decoder(self.quantiser(self.encoder(x)).grid).float().clamp(-1, 1)

    @inference
    def encode(self, x: Tensor) -> Tensor:
        return self.quantiser(self.encoder(x)).grid.flatten(1)

    @inference
    def codes(self, x: Tensor) -> Tensor:
        return self.quantiser(self.encoder(x)).codes

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """The bits of sending the image's codes by the prior and then the image by p(x | z).

        A bound, since p(x) is a sum over all codes and these are one of its terms.
        """
        reconstruction, prior, _ = self.terms(x)
        terms = {"prior": prior, "reconstruction": reconstruction}
        bits = {name: bits_per_dim(nats, x[0].numel()) for name, nats in terms.items()}
        return [Bound("prior + reconstruction", bits["prior"] + bits["reconstruction"], bits)]
