"""Parts of the samples, each measured by itself wherever it was drawn, and the figures of all of them together."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features.extractor import Extractor, Progress, full_float32
from bench.evaluation.features.reference import HeldOut, Reference
from bench.evaluation.metrics.alignment import Aligned
from bench.evaluation.metrics.copies import TrainingPixels, aligned_alarm, exact_alarm, fingerprints
from bench.evaluation.metrics.feature_sets import FeatureSets, ModeCount, Modes, Nearest
from bench.evaluation.metrics.fid import fid_by_count
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.memorisation import cell_of, copying_alarm, nearest
from bench.evaluation.metrics.registry import METRICS, Metric
from bench.evaluation.protocol import Protocol

SHOWN = {torch.uint8: 64, torch.float32: 2500}  # images, or points, kept for a picture
PAIRS = 16  # of samples and training images that are nearest to each other, kept for a picture


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """What samples are measured with and against.

    Without `held_out` there is no C_T, without `modes` there are no modes. `pixels`, of the images that `reference` is
    of, are looked at only beside `held_out`.
    """

    extractor: Extractor
    reference: Reference
    held_out: HeldOut | None = None
    modes: Modes | None = None
    pixels: TrainingPixels | None = None


@dataclass(frozen=True, eq=False)
class Closest:
    """The samples that are nearest to an image of the training split, the nearest first; P <= PAIRS.

    Nearness is by features, or by aligned pixels where these raised the alarm.
    """

    images: Tensor  # P x C x H x W
    training: Tensor  # int64 P, the index of the training image
    distances: Tensor  # float32 P, in feature space, or the gaps of `alignment`

    def first(self) -> "Closest":
        """The PAIRS nearest."""
        order = self.distances.argsort(stable=True)[:PAIRS]
        return Closest(self.images[order], self.training[order], self.distances[order])


@dataclass(frozen=True)
class Part:
    """One chunk of the samples, measured."""

    shown: Tensor
    features: Tensor
    logits: Tensor | None
    hashes: list[bytes]  # of each image, to count the distinct ones
    distances: Tensor | None  # to the nearest training image
    closest: Closest | None
    aligned: Aligned | None = None
    closest_aligned: Closest | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One row's figures. `flags` are sentences about what makes them doubtful; none is the normal case."""

    images: Tensor  # the first ones, N x C x H x W: 64 of uint8, or 2,500 points
    metrics: dict[str, float]  # by the names in METRICS
    intervals: dict[str, tuple[float, float]]  # ends of the 95% intervals over samples, of the metrics that have one
    fid_by_count: dict[int, float]  # number of samples -> FID; empty where FID was not asked for
    flags: tuple[str, ...]
    seconds: dict[str, float]  # wall-clock by stage: sampling, features, nearest, each metric; of the first rank
    closest: Closest | None
    versions: dict[str, int]  # of every metric that was asked for, also of those without a figure here


def measure(images: Tensor, first: int, against: ReferenceSet, seconds: dict[str, float]) -> Part:
    """A chunk by itself, so that its features do not depend on which rank meets it; `first`: its first index.

    Adds what it cost to `seconds`.
    """
    if images.shape[1:] != against.reference.shape:
        shape = tuple(images.shape[1:])
        raise EvaluationError(f"samples are {shape}, but the reference's images {against.reference.shape}.")
    start = time.perf_counter()
    images = images.cpu()
    features, logits = against.extractor.outputs(images)
    hashes = fingerprints(images)
    shown = images[: max(0, SHOWN[images.dtype] - first)].clone()  # a view would keep all images alive
    seconds["features"] += (extracted := time.perf_counter()) - start
    if against.held_out is None:
        return Part(shown, features, logits, hashes, None, None)
    distances, training = nearest(features, against.reference.features)
    closest = Closest(images, training, distances).first()
    seconds["nearest"] += (found := time.perf_counter()) - extracted
    if against.pixels is None:
        return Part(shown, features, logits, hashes, distances, closest)
    aligned = against.pixels.aligner(images)
    pairs = Closest(images, aligned.training, aligned.gap).first()
    seconds["alignment"] = seconds.get("alignment", 0.0) + time.perf_counter() - found
    return Part(shown, features, logits, hashes, distances, closest, aligned, pairs)


def score(
    parts: Mapping[int, Part],
    against: ReferenceSet,
    protocol: Protocol,
    seconds: dict[str, float],
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
) -> Evaluation:
    """Every metric of the selection (None: all) that applies to all the parts, in the order of their numbers."""
    selection = selected(metrics)
    ordered = [parts[k] for k in sorted(parts)]
    sets = together(ordered, against, protocol)
    values: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    chosen = [metric for metric in selection if metric.applies(sets)]
    for done, metric in enumerate(chosen, start=1):
        start = time.perf_counter()
        with full_float32():
            estimate = metric.compute(sets)
        if estimate is not None:
            values[metric.name] = float(estimate.value)  # as a record holds it, also a count
            if (interval := estimate.interval) is not None:
                intervals[metric.name] = interval
        seconds[metric.name] = time.perf_counter() - start
        if progress:
            progress("metrics", done, len(chosen))
    distinct = len({h for part in ordered for h in part.hashes})
    aligned = sets.copies is not None and aligned_alarm(sets.copies) is not None
    pairs = [pair for part in ordered if (pair := part.closest_aligned if aligned else part.closest)]
    return Evaluation(
        images=torch.cat([part.shown for part in ordered]),
        metrics=values,
        intervals=intervals,
        fid_by_count=fid_by_count(sets) if METRICS["fid"] in selection else {},
        flags=flags(sets, distinct),
        seconds=seconds,
        closest=join(pairs) if pairs else None,
        versions={metric.name: metric.version for metric in selection},
    )


def selected(names: Collection[str] | None) -> list[Metric]:
    """The metrics of these names, all for None, in the registry's order. Raises EvaluationError for an unknown one."""
    if names is None:
        return list(METRICS.values())
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    return [metric for metric in METRICS.values() if metric.name in names]


def together(parts: list[Part], against: ReferenceSet, protocol: Protocol) -> FeatureSets:
    """What the metrics compare, of all parts."""
    generated = torch.cat([part.features for part in parts])
    known = [part.logits for part in parts if part.logits is not None]
    logits = torch.cat(known) if known else None
    modes, near, copies = None, None, None
    if against.modes:
        modes = ModeCount(against.modes.assign(generated, logits), against.modes.probabilities)
    if against.held_out:
        distances = torch.cat([part.distances for part in parts if part.distances is not None])
        held_out = against.held_out
        near = Nearest(distances, cell_of(generated, held_out.centroids), held_out.distances, held_out.cells)
    if against.held_out and against.pixels:
        aligned = [part.aligned for part in parts if part.aligned is not None]
        whole = Aligned(torch.cat([part.gap for part in aligned]), torch.cat([part.training for part in aligned]))
        copies = against.pixels.copies(whole, [h for part in parts for h in part.hashes])
    return FeatureSets(
        generated,
        against.reference.manifold(
            min(protocol.samples, len(against.reference.features)), protocol.seed, protocol.subsets
        ),
        against.reference.moments,
        protocol,
        groups(len(generated), protocol.seed),
        logits if fits(against, protocol) else None,
        modes,
        near,
        copies,
    )


def fits(against: ReferenceSet, protocol: Protocol) -> bool:
    """Whether the classifier's classes say something about such images: it was taught by them, or by photographs."""
    extractor = against.extractor
    photographs = extractor.taught_by is None and against.reference.shape[0] == 3
    return not extractor.by_channel and (photographs or extractor.taught_by == protocol.data)


def join(pairs: list[Closest]) -> Closest:
    images, training, distances = (
        torch.cat([getattr(pair, name) for pair in pairs]) for name in ("images", "training", "distances")
    )
    return Closest(images, training, distances).first()


def flags(sets: FeatureSets, distinct: int) -> tuple[str, ...]:
    """What makes the figures doubtful."""
    n, dim = sets.generated.shape
    found = []
    if distinct < n:
        found.append(f"only {distinct:,} of {n:,} samples are distinct")
    if n <= dim:
        found.append(f"{n:,} samples are too few for the covariance of {dim:,} features: FID is far too high")
    alarms = [exact_alarm(sets.copies), aligned_alarm(sets.copies)] if sets.copies else []
    found += [alarm for alarm in (*alarms, copying_alarm(sets)) if alarm]
    return tuple(found)
