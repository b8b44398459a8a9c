"""Compare planted samples with their reference: features, all distances, histograms."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.evaluation.metrics.memorisation import cell_of

MOST, MOST_OWN = 50, 5  # neighbours that candidates need, of the reference and of samples


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference that planted samples are compared with, and partitions of it."""

    features: Tensor  # float64 N x D, as many as samples
    mean: Tensor  # float64 D, of the whole reference
    covariance: Tensor  # float64 D x D
    centroids: Tensor  # float32 B x D, of the bins
    bin_shares: Tensor  # float64 B, of the whole reference; sums to 1
    class_shares: Tensor  # float64 C; sums to 1

    @cached_property
    def distances(self) -> Tensor:
        """Float64 N x N, the diagonal infinite."""
        return own_distances(self.features)

    @cached_property
    def nearest(self) -> Tensor:
        """Float64 N x 50 at most, each one's distances to its nearest others, ascending."""
        return self.distances.topk(min(MOST, len(self.distances) - 1), largest=False).values

    @cached_property
    def kernel_mean(self) -> Tensor:
        """KID's kernel, a mean over pairs."""
        return mean_off_diagonal(self.features)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Samples beside the reference: features, distances and the classes that the samples show."""

    truth: Truth
    features: Tensor  # float64 N x D
    classes: Tensor  # int64 N

    @cached_property
    def across(self) -> Tensor:
        """Float64 N x M, distances of samples (rows) to the reference."""
        return torch.cdist(self.features, self.truth.features)

    @cached_property
    def nearest(self) -> Tensor:
        """Float64 N x 5, ascending, of samples among themselves."""
        return own_distances(self.features).topk(MOST_OWN, largest=False).values

    @cached_property
    def bin_shares(self) -> Tensor:
        return shares(cell_of(self.features, self.truth.centroids), len(self.truth.centroids))

    @cached_property
    def class_shares(self) -> Tensor:
        return shares(self.classes, len(self.truth.class_shares))


def own_distances(x: Tensor) -> Tensor:
    return torch.cdist(x, x).fill_diagonal_(torch.inf)


def shares(members: Tensor, count: int) -> Tensor:
    return torch.bincount(members, minlength=count).double() / len(members)


def mean_off_diagonal(a: Tensor) -> Tensor:
    gram = cubic_kernel(a, a)
    return (gram.sum() - gram.diagonal().sum()) / (len(a) * (len(a) - 1))


def cubic_kernel(a: Tensor, b: Tensor) -> Tensor:
    """KID's kernel of N x D and M x D, (x.y / D + 1)^3: N x M."""
    gram = a @ b.T / a.shape[1] + 1
    return gram * gram * gram
