"""The vector quantiser of the VQ-VAE: a codebook that follows its vectors by moving averages instead of gradients."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from models.ranks import gather, world_size

EPSILON = 1e-5  # of the Laplace smoothing


@dataclass(frozen=True, eq=False)
class Quantised:
    """A grid of vectors replaced by their nearest codes; everything but `codes` is float32."""

    grid: Tensor  # N x D x h x w; its gradient goes straight through to the vectors
    codes: Tensor  # int64, N x h x w: the codes' indices
    commitment: Tensor  # N: squared distances from the vectors to their codes, summed over the grid
    perplexity: Tensor  # exp(entropy) of the batch's use of codes, from 1 (one code) to K (all alike); no gradient


class Quantiser(nn.Module):
    """Vectors N x D x h x w -> their nearest of K codes; van den Oord et al. 2017 (arXiv:1711.00937), Section 3.

    In training mode each pass moves the codebook after it was used, by Appendix A.1's averages. All that they need is
    in buffers. On several ranks, counts, sums and draws are those of all ranks' vectors together, so that every rank
    holds the codebook that one process with the global batch would hold.

    size: K. dim: D. decay: gamma of the averages. restart: a code whose average count falls under this share of the
    mean count is dead and starts again at a random vector of the batch, which the paper does not do; 0: never.
    """

    codebook: Tensor  # K x D, e_i
    counts: Tensor  # K, N_i
    sums: Tensor  # K x D, m_i
    initialised: Tensor  # bool: whether the codebook was taken from a first batch

    def __init__(self, size: int, dim: int, decay: float = 0.99, restart: float = 0.03) -> None:
        super().__init__()
        self.size, self.dim, self.decay, self.restart = size, dim, decay, restart
        codebook = torch.randn(size, dim)
        self.register_buffer("codebook", codebook)
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", codebook.clone())
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, z: Tensor) -> Quantised:
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            vectors = z.detach().permute(0, 2, 3, 1).reshape(-1, self.dim)
            if self.training and not self.initialised:
                self.initialise(vectors)
            codes = self.nearest(vectors)
            e = self.lookup(codes.view(len(z), *z.shape[2:]))
            errors = (z - e).square().sum(1)
            usage = self.totals(vectors, codes)
            if self.training:
                self.update(usage)
                self.revive(vectors, errors.detach().flatten())
            return Quantised(
                # Section 3.2, the straight-through estimator
                grid=z + (e - z).detach(),
                codes=codes.view(len(z), *z.shape[2:]),
                # Eq. 3, the last term without its beta
                commitment=errors.flatten(1).sum(1),
                perplexity=torch.special.entr(usage[:, 0] / usage[:, 0].sum()).sum().exp(),
            )

    def nearest(self, vectors: Tensor) -> Tensor:
        """Indices of the codes nearest to M x D vectors: int64, M."""
        # away from the origin, squares of long vectors would hide the small distances between them
        centre = self.codebook.mean(0)
        e, z = self.codebook - centre, vectors - centre
        # Eq. 1; |z|^2 is the same for every code
        return torch.addmm(e.square().sum(1), z, e.T, alpha=-2).argmin(1)

    def lookup(self, codes: Tensor) -> Tensor:
        """Indices N x h x w -> their codes, N x D x h x w."""
        return F.embedding(codes, self.codebook).permute(0, 3, 1, 2)

    def totals(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """For each code the number of its vectors and, beside it, their sum: K x (1 + D), over all ranks in training.

        By a product with one-hot rows, since adding at indices is not deterministic on GPUs.
        """
        one_hot = vectors.new_zeros(len(vectors), self.size).scatter_(1, codes[:, None], 1)
        totals = one_hot.T @ F.pad(vectors, (1, 0), value=1.0)
        if self.training and world_size() > 1:
            dist.all_reduce(totals)
        return totals

    def update(self, totals: Tensor) -> None:
        """Move the codebook towards the means of the vectors that chose each code."""
        # Eq. 6 and 7
        self.counts.lerp_(totals[:, 0], 1 - self.decay)
        self.sums.lerp_(totals[:, 1:], 1 - self.decay)
        # Eq. 8, with the Laplace smoothing that the authors' code adds: no division by zero
        total = self.counts.sum()
        smoothed = (self.counts + EPSILON) / (total + self.size * EPSILON) * total
        self.codebook.copy_(self.sums / smoothed[:, None])

    def revive(self, vectors: Tensor, errors: Tensor) -> None:
        """Put dead codes at some of all ranks' vectors, in proportion to their squared distances from their codes.

        vectors: this rank's, M x D. errors: those distances, M. Even draws would mostly double codes that are good, and
        so take their meaning from them.
        """
        least = self.restart * self.counts.mean()
        dead = self.counts < least
        if dead.any():
            vectors, errors = gather(vectors), gather(errors)
            odds = errors + EPSILON * errors.mean() + 1e-30
            # on the CPU, since a GPU's running sums may differ in their last digits, and so the draws between ranks
            rows = torch.multinomial(odds.cpu(), self.size, replacement=True).to(odds.device)
            places = vectors[rows][dead]
            # with so small a count a code follows its vectors at once, or dies again if it has none
            self.counts[dead] = least
            self.codebook[dead] = places
            self.sums[dead] = least * places

    def initialise(self, vectors: Tensor) -> None:
        """Take the codes from all ranks' vectors, none twice before all were taken, repeated ones a little apart.

        vectors: this rank's, M x D.
        """
        vectors = gather(vectors)
        rounds = -(-self.size // len(vectors))
        rows = torch.cat([torch.randperm(len(vectors), device=vectors.device) for _ in range(rounds)])[: self.size]
        offsets = 0.01 * vectors.std() * torch.randn(self.size, self.dim, device=vectors.device)
        offsets[: len(vectors)] = 0
        self.codebook.copy_(vectors[rows] + offsets)
        # so small a count that the first averages are those of the first batches, and unused codes die at once
        self.counts.fill_(0.01)
        self.sums.copy_(0.01 * self.codebook)
        self.initialised.fill_(True)
