"""Coverage by bins of feature space, counting only the samples that look like data.

Bins are those of Richardson & Weiss 2018 (arXiv:1805.12462), a k-means partition of the reference. What is compared is
the mass that both histograms have in common. Chosen by the report card: docs/measures.md.
"""

import torch
from torch import Tensor

from bench.evaluation.feature_sets import Bins, FeatureSets
from bench.evaluation.intervals import Estimate
from bench.evaluation.keys import key
from bench.evaluation.memorisation import LEAST, cell_of, cells

BINS = 100  # at most; 20 images of the reference or more a bin
BLOCK = 2**22  # distances held at once, 32 MiB


def partition(features: Tensor) -> Bins:
    """Reference features M x D -> their bins, the same for every evaluation seed."""
    count = min(BINS, max(1, len(features) // LEAST))
    centroids = cells(features, count, key("bins"))
    members = torch.cat([cell_of(part, centroids) for part in features.split(BLOCK // count)])
    return Bins(centroids, torch.bincount(members, minlength=count).double() / len(features))


def bin_coverage(sets: FeatureSets) -> Estimate | None:
    """1 - total variation between the bins' histograms of the data and of the precise samples: 0 .. 1.

    Precise samples are those inside a ball of the reference, as `precision` counts them. About 0.9 for 2,000 samples of
    the data in 100 bins, because 20 samples a bin vary; about half of that where half of the data is missing, whatever
    share of the samples is outside the data. 0 where no sample is precise; None without bins.
    """
    if sets.bins is None:
        return None
    B, G = len(sets.bins.shares), int(sets.groups.max()) + 1
    good = inside(sets.generated, sets.reference, sets.protocol.prc_neighbours)
    where = sets.groups * B + cell_of(sets.generated, sets.bins.centroids)
    counts = torch.bincount(where[good], minlength=G * B).view(G, B).double()  # of each group's precise samples
    total = counts.sum(0)

    def overlap(histogram: Tensor) -> Tensor:
        mass = histogram.sum(-1, keepdim=True)
        return torch.minimum(histogram / mass.clamp(min=1), sets.bins.shares).sum(-1)  # type: ignore[union-attr]

    return Estimate(float(overlap(total)), overlap(total - counts))


def inside(generated: Tensor, reference: Tensor, k: int) -> Tensor:
    """Bool N: which of N x D samples lie in the closed ball, up to its k-th neighbour, of one of M x D references."""
    centre = reference.double().mean(0)
    y, x = generated.double() - centre, reference.double() - centre
    found = torch.zeros(len(y), dtype=torch.bool)
    for part, start in zip(x.split(step := max(1, BLOCK // len(x))), range(0, len(x), step), strict=True):
        own = torch.cdist(part, x)
        own[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        radii = own.kthvalue(k).values[:, None]
        found |= (torch.cdist(part, y) <= radii).any(0)
    return found
