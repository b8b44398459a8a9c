"""Precision, recall, density and coverage of feature sets, which compute them together."""

from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate


def precision(sets: FeatureSets) -> Estimate:
    """Return the share of samples within the reference's balls (Kynkäänniemi et al. 2019, Eq. 2)."""
    return sets.manifolds.precision


def recall(sets: FeatureSets) -> Estimate:
    """Return the share of the reference within the samples' balls (Kynkäänniemi et al. 2019, Eq. 3)."""
    return sets.manifolds.recall


def density(sets: FeatureSets) -> Estimate:
    """Return the mean number of reference balls around a sample, over k (Naeem et al. 2020, Eq. 2)."""
    return sets.manifolds.density


def coverage(sets: FeatureSets) -> Estimate:
    """Return the share of reference balls that contain a sample (Naeem et al. 2020, Eq. 3)."""
    return sets.manifolds.coverage
