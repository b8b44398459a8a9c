"""A Gaussian that follows the vectors of the training."""

import torch
from torch import Tensor, nn

from models.ranks import gather


class RunningGaussian(nn.Module):
    """Maximum-likelihood Gaussian of the vectors seen, where a batch k batches ago has the weight decay^k.

    It holds the weighted averages themselves, so a short run needs no correction, and the covariance is never a
    difference of two large numbers. Until the first batch it is N(0, I).
    """

    mean: Tensor
    covariance: Tensor
    weight: Tensor

    def __init__(self, dimension: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("covariance", torch.eye(dimension))
        self.register_buffer("weight", torch.zeros(()))  # vectors behind the averages, by their weights

    @torch.no_grad()
    def update(self, z: Tensor) -> None:
        """Update with a batch, N x dimension float32, and with those of the other ranks, whose N must be the same."""
        z = gather(z)
        with torch.autocast(z.device.type, enabled=False):  # which would multiply in bfloat16
            self.weight.mul_(self.decay).add_(len(z))
            share = len(z) / self.weight  # 1 for the first batch
            mean = z.mean(0)
            centred, moved = z - mean, mean - self.mean
            within = centred.T @ centred / len(z)
            # a mixture's covariance: the parts' own, and what their means lie apart
            self.covariance.lerp_(within, share).add_(share * (1 - share) * torch.outer(moved, moved))
            self.mean.lerp_(mean, share)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n x dimension, through the symmetric square root, which exists and is unique at any rank."""
        eps = torch.randn(n, len(self.mean), generator=generator, device=generator.device).to(self.mean.device)
        with torch.autocast(eps.device.type, enabled=False), torch.autocast("cpu", enabled=False):
            values, vectors = torch.linalg.eigh(self.covariance.cpu())  # small, and missing on some accelerators
            root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
            return self.mean + eps @ root.to(eps)
