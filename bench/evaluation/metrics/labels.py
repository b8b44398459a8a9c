"""Metrics of samples of given labels: whether the label is obeyed, and figures a class at a time."""

import math

import torch
from torch import Tensor

from bench.evaluation.features.judge import classified, taught_network
from bench.evaluation.metrics.feature_sets import FeatureSets, Labelled
from bench.evaluation.metrics.fid import CHEAP, frechet_to
from bench.evaluation.metrics.intervals import MANY, Estimate
from bench.evaluation.metrics.prdc import manifolds

CAS_PASSES = 30_000  # images that the classifier of the classification accuracy score sees
MOST_CLASSES = 100  # of figures a class at a time
LEAST = 20  # samples of each class that these need


def class_accuracy(sets: FeatureSets) -> Estimate | None:
    """Return the share of samples that the judge assigns to their label."""
    if sets.labelled is None:
        return None
    right, counted = sets.labelled.judged == sets.labelled.labels, sets.labelled.counted
    return share(right & counted, counted, sets.groups)


def share(right: Tensor, total: Tensor, groups: Tensor) -> Estimate | None:
    """Return the share of what is right, sum of `right` over sum of `total`, both N; None of a total of 0.

    groups: int64 N, the jackknife's. Where one group has the whole total, there is no interval.
    """
    G = int(groups.max()) + 1
    rights, totals = (torch.zeros(G, dtype=torch.float64).index_add(0, groups, x.double()) for x in (right, total))
    if not totals.sum():
        return None
    others = totals.sum() - totals
    without = (rights.sum() - rights) / others if others.all() else None
    return Estimate(float(rights.sum() / totals.sum()), without, bounds=(0.0, 1.0))


def classification_accuracy_score(sets: FeatureSets) -> Estimate | None:
    """Ravuri and Vinyals 2019 (arXiv:1905.10887): the accuracy on held-out images of a classifier taught by samples.

    The classifier is the judge's network. The interval is over held-out images alone.
    """
    if sets.labelled is None or sets.labelled.classes > MOST_CLASSES or sets.labelled.images.dtype != torch.uint8:
        return None
    labelled = sets.labelled
    network = taught_network(labelled.images, labelled.image_labels, labelled.classes, CAS_PASSES)
    right = (classified(network, labelled.test_images) == labelled.test_labels).double()
    return Estimate(float(right.mean()), extra=(float(right.var() / len(right)), MANY), bounds=(0.0, 1.0))


def intra_fid(sets: FeatureSets) -> Estimate | None:
    """Miyato and Koyama 2018 (arXiv:1802.05637): the mean over classes of FID between samples and images of the class.

    Biased upwards by the number of samples of a class, so it compares only at equal numbers. Without an interval in
    features of more than 512 dimensions, where it would take minutes.
    """
    labelled = sets.labelled
    if labelled is None or not enough(labelled):
        return None
    distances = [frechet_to(labelled.reference[labelled.reference_labels == k]) for k in range(labelled.classes)]

    def figure(kept: Tensor) -> float:
        parts = [sets.generated[kept & (labelled.labels == k)] for k in range(labelled.classes)]
        return sum(distance(part) for distance, part in zip(distances, parts, strict=True)) / labelled.classes

    without = None
    if sets.generated.shape[1] <= CHEAP:
        G = int(sets.groups.max()) + 1
        without = torch.tensor([figure(sets.groups != g) for g in range(G)], dtype=torch.float64)
    return Estimate(figure(torch.ones_like(sets.groups, dtype=torch.bool)), without, bounds=(0.0, math.inf))


def enough(labelled: Labelled) -> bool:
    """Return whether there are figures a class at a time: of few classes with enough samples of each."""
    if labelled.classes > MOST_CLASSES:
        return False
    return int(torch.bincount(labelled.labels, minlength=labelled.classes).min()) >= LEAST


def by_class(sets: FeatureSets) -> list[dict[str, float]]:
    """Return the figures of each class's samples against as many training images of it; [] where there are none."""
    labelled = sets.labelled
    if labelled is None or not enough(labelled):
        return []
    return [_figures_of(label, sets, labelled) for label in range(labelled.classes)]


def _figures_of(label: int, sets: FeatureSets, labelled: Labelled) -> dict[str, float]:
    mine = labelled.labels == label
    generated = sets.generated[mine]
    training = labelled.reference[labelled.reference_labels == label]
    n = min(len(generated), len(training))
    figures = manifolds(
        generated[:n], training[:n], prc_neighbours=sets.protocol.prc_neighbours,
        dc_neighbours=sets.protocol.dc_neighbours, subsets=1, seed=sets.protocol.seed, groups=sets.groups[mine][:n],
    )  # fmt: skip
    right = (labelled.judged == label)[mine & labelled.counted].double()
    return {
        "samples": len(generated),
        "class_accuracy": float(right.mean()),
        "fid": frechet_to(training)(generated),
        "precision": figures.precision.value,
        "recall": figures.recall.value,
        "coverage": figures.coverage.value,
    }
