"""Clusters of the training images, which a model can be told in the place of labels."""

import math
import warnings

import torch
from torch import Tensor, nn

FIRST_CENTROIDS = 0  # seed of k-means: the clusters are the same for every training seed


class Clusters(nn.Module):
    """Images (N x C x H x W, float32) -> the numbers of their clusters, int64 N: the nearest of K centroids.

    k-means of the pixels, once, before the first batch. Bao et al. 2022, Why Are Conditional Generative Models Better
    Than Unconditional Ones? (arXiv:2212.00362) tell a diffusion model the clusters of a self-supervised network's
    features, Liu et al. 2020 (arXiv:2006.10728) a GAN those of its discriminator's. Departure from both: pixels, which
    need no other network.

    shares: of the clusters among the images that they were learned from, K, which sum to 1; equal before that.
    """

    centroids: Tensor
    shares: Tensor

    def __init__(self, count: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("centroids", torch.zeros(count, math.prod(image_shape)))
        self.register_buffer("shares", torch.full((count,), 1 / count))

    @property
    def count(self) -> int:
        return len(self.shares)

    def learn(self, images: Tensor) -> None:
        """Learn the centroids from images, N x C x H x W on the CPU, at least as many as clusters."""
        from sklearn.cluster import KMeans  # takes a second to import
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        k_means = KMeans(self.count, n_init=1, random_state=FIRST_CENTROIDS)
        # several threads add in another order, and ranks would find other clusters
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of equal images, which leave clusters empty
            k_means.fit(images.flatten(1).numpy())
        self.centroids.copy_(torch.from_numpy(k_means.cluster_centers_))
        counts = torch.bincount(torch.from_numpy(k_means.labels_).long(), minlength=self.count)
        self.shares.copy_(counts / len(images))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cdist(images.flatten(1).float(), self.centroids).argmin(1)
