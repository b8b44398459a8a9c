"""Measure chunks of the samples independently, on the rank that drew them, and compute the figures of all."""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features.extractor import Extractor, Moments, Progress, full_float32
from bench.evaluation.features.judge import Judge
from bench.evaluation.features.reference import HeldOut, Reference
from bench.evaluation.metrics.alignment import Aligned
from bench.evaluation.metrics.copies import TrainingPixels, aligned_alarm, exact_alarm, fingerprints
from bench.evaluation.metrics.feature_sets import FeatureSets, Labelled, ModeCount, Modes, Nearest, SecondSpace, Words
from bench.evaluation.metrics.fid import fid_by_count
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.labels import by_class
from bench.evaluation.metrics.memorisation import cell_of, copying_alarm, nearest
from bench.evaluation.metrics.own import OwnMetric
from bench.evaluation.metrics.registry import METRICS, Metric, expected
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import Labels
from bench.runtime.errors import cause

Result = TypeVar("Result")

PREVIEW_SIZE = {torch.uint8: 64, torch.float32: 2500}  # images, or points, kept for a picture
PAIRS = 16  # of samples and training images that are nearest to each other, kept for a picture


@dataclass(frozen=True, eq=False)
class SecondReference:
    """A second feature space, and the moments of the reference split there."""

    extractor: Extractor
    moments: Moments


@dataclass(frozen=True, eq=False)
class ClassReference:
    """What samples of given labels are compared with: a judge, and labels of the reference and of held-out images."""

    judge: Judge
    reference_labels: Tensor  # int64, of the reference split in its order
    test_images: Tensor  # uint8, held out
    test_labels: Tensor  # int64

    @property
    def classes(self) -> int:
        return int(self.reference_labels.max()) + 1


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """The labels of images, and what teaches the classifier of the classification accuracy score.

    counted: bool N, whether the judge's opinion of an image counts; None: of all. images, image_labels: real images in
    the place of the samples. words: (uint8 images, labels that the judge sees) -> what the captions say and is
    seen.
    """

    labels: Tensor  # int64 N
    counted: Tensor | None = None
    images: Tensor | None = None
    image_labels: Tensor | None = None
    words: Callable[[Tensor, Tensor], Words] | None = None


@dataclass(frozen=True, eq=False)
class Captions:
    """Captions of samples, and how they are judged.

    draw: (n, generator) -> the captions that `sample` draws first, int64 n x length. words: (captions, uint8 images,
    int64 labels that the judge sees) -> what is said and seen.
    """

    draw: Labels
    words: Callable[[Tensor, Tensor, Tensor], Words]


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """What samples are compared with: the reference split's features, and what further metrics need.

    `held_out` is needed for C_T and FLD, `modes` for the metrics of modes, `random` for the distance in the features
    of the random network. `pixels` and `random` belong to the images of `reference`, and `pixels` are used only with
    `held_out`. `classes` are needed for samples of given labels.
    """

    extractor: Extractor
    reference: Reference
    held_out: HeldOut | None = None
    modes: Modes | None = None
    pixels: TrainingPixels | None = None
    random: SecondReference | None = None
    classes: ClassReference | None = None


@dataclass(frozen=True, eq=False)
class Closest:
    """The samples nearest to an image of the training split, the nearest first; P <= PAIRS.

    Distances are those of features, or those of aligned pixels where these raised the alarm.
    """

    images: Tensor  # P x C x H x W
    training: Tensor  # int64 P, the index of the training image
    distances: Tensor  # float32 P, in feature space, or the gaps of `alignment`

    def first(self) -> "Closest":
        """Return the PAIRS nearest."""
        order = self.distances.argsort(stable=True)[:PAIRS]
        return Closest(self.images[order], self.training[order], self.distances[order])


@dataclass(frozen=True)
class Part:
    """The measurements of one chunk of the samples."""

    preview: Tensor
    features: Tensor
    logits: Tensor | None
    hashes: list[bytes]  # of each image, to count the distinct ones
    distances: Tensor | None  # to the nearest training image
    closest: Closest | None
    aligned: Aligned | None = None
    closest_aligned: Closest | None = None
    random: Tensor | None = None  # features of the random network
    judged: Tensor | None = None  # int64, the labels that the judge sees
    images: Tensor | None = None  # where they were judged, since a classifier learns from them


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One row's figures. `flags` are sentences on why they are doubtful; normally there are none."""

    images: Tensor  # the first ones, N x C x H x W: 64 of uint8, or 2,500 points
    metrics: dict[str, float]  # by the names in METRICS, and those of the user's own
    intervals: dict[str, tuple[float, float]]  # ends of the 95% intervals over samples, of the metrics that have one
    fid_by_count: dict[int, float]  # number of samples -> FID; empty where FID was not selected
    flags: tuple[str, ...]
    seconds: dict[str, float]  # wall-clock by stage: sampling, features, nearest, each metric; of the first rank
    closest: Closest | None
    versions: dict[str, int | str]  # of every selected metric that did not fail, also of those without a figure here
    by_class: list[dict[str, float]] = field(default_factory=list)  # of each label, where intra_fid was computed
    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # of the user's own metrics: `OwnMetric.column`
    failed: dict[str, str] = field(default_factory=dict)  # metric of the user's own -> its error


def measure_chunk(
    images: Tensor, first: int, reference_set: ReferenceSet, seconds: dict[str, float], judged: bool = False
) -> Part:
    """Measure one chunk, so that its features do not depend on the rank; `first`: the index of its first image.

    judged: whether the judge looks at it. Adds the time of each stage to `seconds`.
    """
    part = _measured(images, first, reference_set, seconds)
    if not judged:
        return part
    start = time.perf_counter()
    assert reference_set.classes is not None
    labels = reference_set.classes.judge.classify(images.cpu())
    seconds["judge"] = seconds.get("judge", 0.0) + time.perf_counter() - start
    return dataclasses.replace(part, judged=labels, images=images.cpu())


def _measured(images: Tensor, first: int, reference_set: ReferenceSet, seconds: dict[str, float]) -> Part:
    if images.shape[1:] != reference_set.reference.shape:
        shape = tuple(images.shape[1:])
        raise EvaluationError(f"samples are {shape}, but the reference's images {reference_set.reference.shape}.")
    start = time.perf_counter()
    images = images.cpu()
    features, logits = reference_set.extractor.outputs(images)
    random = reference_set.random.extractor(images) if reference_set.random else None
    hashes = fingerprints(images)
    preview = images[: max(0, PREVIEW_SIZE[images.dtype] - first)].clone()  # a view would keep all images alive
    seconds["features"] += (extracted_at := time.perf_counter()) - start
    if reference_set.held_out is None:
        return Part(preview, features, logits, hashes, None, None, random=random)
    distances, training = nearest(features, reference_set.reference.features)
    closest = Closest(images, training, distances).first()
    seconds["nearest"] += (searched_at := time.perf_counter()) - extracted_at
    if reference_set.pixels is None:
        return Part(preview, features, logits, hashes, distances, closest, random=random)
    aligned = reference_set.pixels.aligner(images)
    pairs = Closest(images, aligned.training, aligned.gap).first()
    seconds["alignment"] = seconds.get("alignment", 0.0) + time.perf_counter() - searched_at
    return Part(preview, features, logits, hashes, distances, closest, aligned, pairs, random)


def score(
    parts: Mapping[int, Part],
    reference_set: ReferenceSet,
    protocol: Protocol,
    seconds: dict[str, float],
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
    given: GivenLabels | None = None,
    own: Sequence[OwnMetric] = (),
) -> Evaluation:
    """Compute the selected metrics (None: all) that apply, of all parts in the order of their numbers.

    own: metrics of the user's own, of which one that fails leaves the figures of the others.
    """
    selection = select_metrics(metrics, own)
    ordered = [parts[k] for k in sorted(parts)]
    sets = feature_sets(ordered, reference_set, protocol, given)
    values: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    failed: dict[str, str] = {}
    applicable = [metric for metric in selection if attempted(metric, metric.applies, sets, failed)]
    for done, metric in enumerate(applicable, start=1):
        start = time.perf_counter()
        with full_float32():
            estimate = attempted(metric, metric.compute, sets, failed)
        if estimate is not None:
            values[metric.name] = float(estimate.value)  # as a record holds it, also a count
            if (interval := estimate.interval) is not None:
                intervals[metric.name] = interval
        seconds[metric.name] = time.perf_counter() - start
        if progress:
            progress("metrics", done, len(applicable))
    known = {*expected(sets.labelled is not None, sets.words is not None), *(metric.name for metric in own)}
    distinct = len({h for part in ordered for h in part.hashes})
    aligned = sets.copies is not None and aligned_alarm(sets.copies) is not None
    pairs = [pair for part in ordered if (pair := part.closest_aligned if aligned else part.closest)]
    return Evaluation(
        images=torch.cat([part.preview for part in ordered]),
        metrics=values,
        intervals=intervals,
        fid_by_count=fid_by_count(sets) if METRICS["fid"] in selection else {},
        flags=(*flags(sets, distinct), *(f"no figure of {name}: {error}" for name, error in failed.items())),
        seconds=seconds,
        closest=join_pairs(pairs) if pairs else None,
        versions={metric.name: metric.version for metric in selection if metric.name in known - failed.keys()},
        by_class=by_class(sets) if METRICS["intra_fid"] in selection else [],
        columns={metric.name: metric.column() for metric in own if metric in selection},
        failed=failed,
    )


def attempted(
    metric: Metric, function: Callable[[FeatureSets], Result], sets: FeatureSets, failed: dict[str, str]
) -> Result | None:
    """Return what a function of a metric returns; None where one of the user's own fails, and its error in `failed`."""
    try:
        return function(sets)
    except Exception as error:
        if not isinstance(metric, OwnMetric):
            raise
        failed[metric.name] = cause(error, metric.owns)
        return None


def select_metrics(names: Collection[str] | None, own: Sequence[OwnMetric] = ()) -> list[Metric]:
    """Return the metrics of these names (None: all) in the registry's order, and those of the user's own.

    EvaluationError for an unknown name.
    """
    known: dict[str, Metric] = {**METRICS, **{metric.name: metric for metric in own}}
    for name in names or ():
        if name not in known:
            raise unknown("metric", name, known)
    return [metric for metric in known.values() if names is None or metric.name in names]


def feature_sets(
    parts: list[Part], reference_set: ReferenceSet, protocol: Protocol, given: GivenLabels | None = None
) -> FeatureSets:
    """Join the parts into the feature sets that the metrics compare."""
    generated = torch.cat([part.features for part in parts])
    logits_of_parts = [part.logits for part in parts if part.logits is not None]
    logits = torch.cat(logits_of_parts) if logits_of_parts else None
    modes, near, copies, random = None, None, None, None
    of_labels = labelled(parts, reference_set, given) if given else None
    words = given.words(of_labels.images, of_labels.judged) if given and given.words and of_labels else None
    if reference_set.modes:
        modes = ModeCount(reference_set.modes.assign(generated, logits), reference_set.modes.probabilities)
    if reference_set.held_out:
        distances = torch.cat([part.distances for part in parts if part.distances is not None])
        held_out = reference_set.held_out
        near = Nearest(distances, cell_of(generated, held_out.centroids), held_out.distances, held_out.cells)
    if reference_set.held_out and reference_set.pixels:
        aligned = [part.aligned for part in parts if part.aligned is not None]
        whole = Aligned(torch.cat([part.gap for part in aligned]), torch.cat([part.training for part in aligned]))
        copies = reference_set.pixels.copies(whole, [h for part in parts for h in part.hashes])
    if reference_set.random:
        features = torch.cat([part.random for part in parts if part.random is not None])
        random = SecondSpace(features, reference_set.random.moments)
    return FeatureSets(
        generated,
        reference_set.reference.manifold(
            min(protocol.samples, len(reference_set.reference.features)), protocol.seed, protocol.subsets
        ),
        reference_set.reference.moments,
        protocol,
        groups(len(generated), protocol.seed),
        logits if fits(reference_set, protocol) else None,
        modes,
        near,
        copies,
        reference_set.held_out.features if reference_set.held_out else None,
        random,
        of_labels,
        words,
    )


def fits(reference_set: ReferenceSet, protocol: Protocol) -> bool:
    """Return whether the classifier's classes apply: it was trained on the data, or on photographs as the data are."""
    extractor = reference_set.extractor
    photographs = extractor.taught_by is None and reference_set.reference.shape[0] == 3
    return not extractor.by_channel and (photographs or extractor.taught_by == protocol.data)


def join_pairs(pairs: list[Closest]) -> Closest:
    images, training, distances = (
        torch.cat([getattr(pair, name) for pair in pairs]) for name in ("images", "training", "distances")
    )
    return Closest(images, training, distances).first()


def labelled(parts: list[Part], reference_set: ReferenceSet, given: GivenLabels) -> Labelled:
    """Join the judge's opinions, and what the figures of given labels are computed from."""
    classes = reference_set.classes
    assert classes is not None
    judged = torch.cat([part.judged for part in parts if part.judged is not None])
    images = torch.cat([part.images for part in parts if part.images is not None])
    counted = torch.ones_like(judged, dtype=torch.bool) if given.counted is None else given.counted
    return Labelled(
        classes.classes, given.labels, judged, counted,
        images if given.images is None else given.images,
        given.labels if given.image_labels is None else given.image_labels,
        classes.test_images, classes.test_labels, reference_set.reference.features, classes.reference_labels,
    )  # fmt: skip


def flags(sets: FeatureSets, distinct: int) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt the figures."""
    n, dim = sets.generated.shape
    sentences = []
    if distinct < n:
        sentences.append(f"only {distinct:,} of {n:,} samples are distinct")
    if n <= dim:
        sentences.append(f"{n:,} samples are too few for the covariance of {dim:,} features: FID is far too high")
    alarms = [exact_alarm(sets.copies), aligned_alarm(sets.copies)] if sets.copies else []
    sentences += [alarm for alarm in (*alarms, copying_alarm(sets)) if alarm]
    return tuple(sentences)
