"""Draw samples in chunks, extract features and compute metrics; one process and many give the same result."""

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress, check_images
from bench.evaluation.features.reference import BASELINE, subset
from bench.evaluation.metrics.own import OwnMetric
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import Labels, Sample, generate, labels_of
from bench.evaluation.scoring import (
    Captions,
    Evaluation,
    GivenLabels,
    Part,
    ReferenceSet,
    measure_chunk,
    score,
    select_metrics,
)
from bench.runtime import ranks


def evaluate(
    sample: Sample,
    reference_set: ReferenceSet,
    protocol: Protocol,
    *,
    training_seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
    labels: Labels | None = None,
    captions: Captions | None = None,
    own: Sequence[OwnMetric] = (),
) -> Evaluation:
    """Compute the metrics of `protocol.samples` images from `sample`, which is given generators on `device`.

    training_seed: of the model that is sampled; a part of the generators' keys.
    metrics: names of the metrics to compute; None: all. The samples do not depend on it.
    labels: draws the labels of the samples, where `sample` was given any; `reference_set.classes` is needed then.
    captions: of the samples, where `sample` was given any, beside their labels.
    own: metrics of the user's own, beside those of the suite.

    Inside an initialised torch.distributed group the chunks are distributed over the ranks, and every rank returns the
    same Evaluation as a single process would. Raises EvaluationError if the samples are not images like the
    reference's, or if the protocol does not describe `reference_set`.
    """
    check_protocol(reference_set, protocol)
    select_metrics(metrics, own)  # refuses an unknown one before the sampling
    seconds = {"sampling": 0.0, "features": 0.0, "nearest": 0.0}

    def measure_own_chunks() -> dict[int, Part]:
        parts: dict[int, Part] = {}
        start = time.perf_counter()
        for k, images in generate(
            sample,
            protocol.samples,
            chunk=protocol.chunk,
            seed=protocol.seed,
            training_seed=training_seed,
            quantisation=protocol.quantisation,
            device=device,
            rank=ranks.rank(),
            world_size=ranks.world_size(),
            progress=progress,
        ):
            seconds["sampling"] += time.perf_counter() - start
            parts[k] = measure_chunk(images, k * protocol.chunk, reference_set, seconds, judged=labels is not None)
            start = time.perf_counter()
        return parts

    shares = ranks.gather_on_first(measure_own_chunks)
    drawn = partial(
        labels_of, n=protocol.samples, chunk=protocol.chunk, seed=protocol.seed, training_seed=training_seed,
        device=device,
    )  # fmt: skip
    given = given_labels(drawn, labels, captions)
    return ranks.on_first(lambda: score(merge(shares), reference_set, protocol, seconds, progress, metrics, given, own))


def given_labels(
    drawn: Callable[[Labels], Tensor], labels: Labels | None, captions: Captions | None
) -> GivenLabels | None:
    """Return the labels of the samples and how their captions are judged; None of samples without labels.

    drawn: what draws labels, given its share of the samples' generators.
    """
    if labels is None:
        return None
    words = partial(captions.words, drawn(captions.draw)) if captions is not None else None
    return GivenLabels(drawn(labels), words=words)


def merge(shares: list[dict[int, Part]]) -> dict[int, Part]:
    """Merge the parts of all ranks."""
    return {k: part for share in shares for k, part in share.items()}


def evaluate_images(
    images: Tensor,
    reference_set: ReferenceSet,
    protocol: Protocol,
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
    given: GivenLabels | None = None,
    own: Sequence[OwnMetric] = (),
) -> Evaluation:
    """Compute the same metrics for existing images, N x C x H x W: a held-out split, or another program's samples.

    `protocol.samples` of them are chosen by its seed, without repetition; raises EvaluationError if there are fewer.
    metrics, own: as for `evaluate`. given: the labels of the chosen images, where these are to be judged.
    """
    check_images(images, reference_set.extractor.dtype)
    check_protocol(reference_set, protocol)
    if protocol.samples > len(images):
        message = f"samples={protocol.samples} is more than the {len(images)} images that were given."
        raise EvaluationError(message, key="samples", value=protocol.samples)
    selection = images[subset(len(images), protocol.samples, protocol.seed, BASELINE)]
    seconds = {"features": 0.0, "nearest": 0.0}
    parts: dict[int, Part] = {}
    for k, chunk in enumerate(selection.split(protocol.chunk)):
        parts[k] = measure_chunk(chunk, k * protocol.chunk, reference_set, seconds, judged=given is not None)
        if progress:
            progress("features", min((k + 1) * protocol.chunk, len(selection)), len(selection))
    return score(parts, reference_set, protocol, seconds, progress, metrics, given, own)


def check_protocol(reference_set: ReferenceSet, protocol: Protocol) -> None:
    """Raise EvaluationError unless the protocol describes the reference set."""
    extractor, reference = reference_set.extractor, reference_set.reference
    k, size = max(protocol.prc_neighbours, protocol.dc_neighbours), protocol.kid_subset_size
    if 0 < len(reference.features) < max(k + 1, size):  # checked here, because the metric would fail after the sampling
        raise EvaluationError(
            f"the reference's {len(reference.features)} images are too few for k={k} neighbours of each and "
            f"KID's subsets of {size}."
        )
    for name, value, actual in (
        ("extractor", protocol.extractor, extractor.name),
        ("extractor_digest", protocol.extractor_digest, extractor.digest),
        ("extractor_digest", protocol.extractor_digest, reference.extractor_digest),
        ("reference_digest", protocol.reference_digest, reference.digest),
        ("held_out_digest", protocol.held_out_digest, reference_set.held_out.digest if reference_set.held_out else ""),
        ("cells", protocol.cells, len(reference_set.held_out.centroids) if reference_set.held_out else protocol.cells),
        ("modes", protocol.modes, reference_set.modes.name if reference_set.modes else ""),
        ("quantisation", protocol.quantisation, "uint8" if extractor.dtype == torch.uint8 else "none"),
    ):
        if value != actual:
            message = f"the protocol states {name}={value or 'none'}, but here it is {actual or 'none'}."
            raise EvaluationError(message, key=name, value=value)
