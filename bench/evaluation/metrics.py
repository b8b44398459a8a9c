"""The metrics, each one small function of two feature sets, in a registry with its direction and its source.

torch-fidelity is imported only when a metric is computed: it takes seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bench.evaluation.features import Moments
from bench.evaluation.protocol import Protocol

BLOCK = 500  # rows of a distance matrix held at once
PRC_BLOCK = 400  # the same inside torch-fidelity, at least: it cuts columns as well, and many small products are slow
PRC_ENTRIES = 2**22  # distances held at once where that allows more rows: larger blocks are slowed by page faults


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """What metrics compare: features of samples and of as many reference images, both float32 N x D on the CPU.

    `reference_moments` are of the whole reference split. What two metrics share is computed once.
    """

    generated: Tensor
    reference: Tensor
    reference_moments: Moments
    protocol: Protocol

    @cached_property
    def precision_recall(self) -> tuple[float, float]:
        """Kynkäänniemi et al. 2019, Eq. 2, by torch-fidelity: whether the nearest k-neighbour balls hold a point."""
        from torch_fidelity.metric_prc import prc_features_to_metric

        result = prc_features_to_metric(
            self.generated,
            self.reference,
            prc_neighborhood=self.protocol.prc_neighbours,
            prc_batch_size=max(PRC_BLOCK, PRC_ENTRIES // len(self.generated)),
            save_cpu_ram=True,
            verbose=False,
        )
        return result["precision"], result["recall"]

    @cached_property
    def density_coverage(self) -> tuple[float, float]:
        """Naeem et al. 2020, Section 3, with a strict inequality, as their package `prdc` has it.

        Distances are float64 differences, not the faster expanded squares: a copy is then at distance 0 exactly.
        """
        k = self.protocol.dc_neighbours
        y, x = self.generated.double(), self.reference.double()
        inside = covered = 0
        for block in x.split(BLOCK):
            nnd = _distances(block, x).topk(k + 1, largest=False).values[:, -1:]  # k-th beside the point itself
            within = _distances(block, y) < nnd
            inside += int(within.sum())
            covered += int(within.any(1).sum())
        # density = 1 / (k M) sum_j sum_i 1[Y_j in B(X_i, NND_k(X_i))];  coverage = 1 / N sum_i 1[some Y_j in it]
        return inside / (k * len(y)), covered / len(x)


@dataclass(frozen=True)
class Metric:
    """`compute` maps feature sets to the figure; `direction` says which figures are better."""

    name: str
    direction: Literal["lower", "higher"]
    source: str
    compute: Callable[[FeatureSets], float]


def fid(sets: FeatureSets) -> float:
    """Fréchet distance of the Gaussians with the two sets' moments, by torch-fidelity in float64; at least 0.

    Biased upwards by the number of samples, so it compares only at equal numbers.
    """
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    generated, reference = (
        {"mu": moments.mean.numpy(), "sigma": moments.covariance.numpy()}
        for moments in (Moments.from_features(sets.generated), sets.reference_moments)
    )
    # Heusel et al. 2017, Eq. 6: |mu_1 - mu_2|^2 + Tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))
    distance = fid_statistics_to_metric(generated, reference, verbose=False)["frechet_inception_distance"]
    return max(0.0, float(distance))  # equal moments come out as -1e-14 or so


def kid(sets: FeatureSets) -> float:
    """Squared MMD under the kernel (x.y / D + 1)^3, mean of unbiased estimates on subsets, by torch-fidelity.

    Unbiased, so about 0 and as often below as above for equal distributions.
    """
    from torch_fidelity.metric_kid import kid_features_to_metric

    result = kid_features_to_metric(
        sets.generated,
        sets.reference,
        kid_subsets=sets.protocol.kid_subsets,
        kid_subset_size=sets.protocol.kid_subset_size,
        rng_seed=sets.protocol.seed,
        verbose=False,
    )
    return float(result["kernel_inception_distance_mean"])


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("fid", "lower", "Heusel et al. 2017, arXiv:1706.08500", fid),
        Metric("kid", "lower", "Bińkowski et al. 2018, arXiv:1801.01401", kid),
        Metric("precision", "higher", "Kynkäänniemi et al. 2019, arXiv:1904.06991", lambda s: s.precision_recall[0]),
        Metric("recall", "higher", "Kynkäänniemi et al. 2019, arXiv:1904.06991", lambda s: s.precision_recall[1]),
        Metric("density", "higher", "Naeem et al. 2020, arXiv:2002.09797", lambda s: s.density_coverage[0]),
        Metric("coverage", "higher", "Naeem et al. 2020, arXiv:2002.09797", lambda s: s.density_coverage[1]),
    )
}


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
