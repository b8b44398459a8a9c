"""Chunks -> samples -> features -> metrics, on one process or many with the same result."""

import time
from collections.abc import Collection

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress, check_images
from bench.evaluation.features.reference import BASELINE, subset
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import Sample, generate
from bench.evaluation.scoring import Evaluation, Part, ReferenceSet, measure, score, selected
from bench.runtime import ranks


def evaluate(
    sample: Sample,
    against: ReferenceSet,
    protocol: Protocol,
    *,
    training_seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
) -> Evaluation:
    """Every metric of `protocol.samples` images from `sample`, which is given generators on `device`.

    training_seed: of the model that is sampled; a part of the generators' keys.
    metrics: names of those to compute; None: all. The samples do not depend on it.

    Inside an initialised torch.distributed group the chunks are dealt to the ranks and every rank returns the same
    Evaluation, equal to one process's. Raises EvaluationError if the samples are not images like the reference's, or if
    the protocol speaks of something else than `against`.
    """
    check_protocol(against, protocol)
    selected(metrics)  # refuses an unknown one before the sampling
    seconds = {"sampling": 0.0, "features": 0.0, "nearest": 0.0}

    def own() -> dict[int, Part]:
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
            parts[k] = measure(images, k * protocol.chunk, against, seconds)
            start = time.perf_counter()
        return parts

    shares = ranks.gathered(own)
    return ranks.on_first(lambda: score(merged(shares), against, protocol, seconds, progress, metrics))


def merged(shares: list[dict[int, Part]]) -> dict[int, Part]:
    """The parts of all ranks."""
    return {k: part for share in shares for k, part in share.items()}


def evaluate_images(
    images: Tensor,
    against: ReferenceSet,
    protocol: Protocol,
    progress: Progress | None = None,
    metrics: Collection[str] | None = None,
) -> Evaluation:
    """The same figures for images that are there already, N x C x H x W: a held-out split, another program's.

    `protocol.samples` of them are chosen by its seed, without repetition; raises EvaluationError if there are fewer.
    metrics: as for `evaluate`.
    """
    check_images(images, against.extractor.dtype)
    check_protocol(against, protocol)
    if protocol.samples > len(images):
        raise EvaluationError(f"samples={protocol.samples} is more than the {len(images)} images that were given.")
    chosen = images[subset(len(images), protocol.samples, protocol.seed, BASELINE)]
    seconds = {"features": 0.0, "nearest": 0.0}
    parts: dict[int, Part] = {}
    for k, chunk in enumerate(chosen.split(protocol.chunk)):
        parts[k] = measure(chunk, k * protocol.chunk, against, seconds)
        if progress:
            progress("features", min((k + 1) * protocol.chunk, len(chosen)), len(chosen))
    return score(parts, against, protocol, seconds, progress, metrics)


def check_protocol(against: ReferenceSet, protocol: Protocol) -> None:
    """Raises EvaluationError unless what the protocol states is what it will be measured with."""
    extractor, reference = against.extractor, against.reference
    k, size = max(protocol.prc_neighbours, protocol.dc_neighbours), protocol.kid_subset_size
    if len(reference.features) < max(k + 1, size):  # refused now, since it would fail after the sampling
        raise EvaluationError(
            f"the reference's {len(reference.features)} images are too few for k={k} neighbours of each and "
            f"KID's subsets of {size}."
        )
    for name, stated, actual in (
        ("extractor", protocol.extractor, extractor.name),
        ("extractor_digest", protocol.extractor_digest, extractor.digest),
        ("extractor_digest", protocol.extractor_digest, reference.extractor_digest),
        ("reference_digest", protocol.reference_digest, reference.digest),
        ("held_out_digest", protocol.held_out_digest, against.held_out.digest if against.held_out else ""),
        ("cells", protocol.cells, len(against.held_out.centroids) if against.held_out else protocol.cells),
        ("modes", protocol.modes, against.modes.name if against.modes else ""),
        ("quantisation", protocol.quantisation, "uint8" if extractor.dtype == torch.uint8 else "none"),
    ):
        if stated != actual:
            raise EvaluationError(f"the protocol states {name}={stated or 'none'}, but here it is {actual or 'none'}.")
