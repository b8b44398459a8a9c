"""Weighted moments, computed from all vectors at once."""

import torch
from torch import Tensor


def weighted(batches: list[Tensor], decay: float) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all vectors, in float64; those k batches before the last have the weight decay^k."""
    ages = torch.arange(len(batches) - 1, -1, -1).repeat_interleave(torch.tensor([len(batch) for batch in batches]))
    weights = decay ** ages.double()
    z = torch.cat(batches).double()
    return (weights[:, None] * z).sum(0) / weights.sum(), torch.cov(z.T, correction=0, aweights=weights)
