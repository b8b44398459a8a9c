"""Chunks -> samples -> features -> metrics, on one process or many with the same result."""

import time

import torch
from torch import Tensor

from bench.evaluation import ranks
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Progress, check_images
from bench.evaluation.protocol import Protocol
from bench.evaluation.reference import BASELINE, check_enough, subset
from bench.evaluation.samples import Sample, generate
from bench.evaluation.scoring import Against, Evaluation, Part, measure, score


def evaluate(
    sample: Sample,
    against: Against,
    protocol: Protocol,
    *,
    training_seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Every metric of `protocol.samples` images from `sample`, which is given generators on `device`.

    training_seed: of the model that is sampled; a part of the generators' keys.

    Inside an initialised torch.distributed group the chunks are dealt to the ranks and every rank returns the same
    Evaluation, equal to one process's. Raises EvaluationError if the samples are not images like the reference's, or if
    the protocol speaks of something else than `against`.
    """
    check_protocol(against, protocol)
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
    return ranks.on_first(lambda: score(merged(shares), against, protocol, seconds, progress))


def merged(shares: list[dict[int, Part]]) -> dict[int, Part]:
    """The parts of all ranks."""
    return {k: part for share in shares for k, part in share.items()}


def evaluate_images(
    images: Tensor, against: Against, protocol: Protocol, progress: Progress | None = None
) -> Evaluation:
    """The same figures for images that are there already, N x C x H x W: a held-out split, another program's.

    `protocol.samples` of them are chosen by its seed, without repetition; raises EvaluationError if there are fewer.
    """
    check_images(images, against.extractor.dtype)
    check_protocol(against, protocol)
    if protocol.samples > len(images):
        raise EvaluationError(f"samples={protocol.samples} are more than the {len(images)} images that are there.")
    chosen = images[subset(len(images), protocol.samples, protocol.seed, BASELINE)]
    seconds = {"features": 0.0, "nearest": 0.0}
    parts: dict[int, Part] = {}
    for k, chunk in enumerate(chosen.split(protocol.chunk)):
        parts[k] = measure(chunk, k * protocol.chunk, against, seconds)
        if progress:
            progress("features", min((k + 1) * protocol.chunk, len(chosen)), len(chosen))
    return score(parts, against, protocol, seconds, progress)


def check_protocol(against: Against, protocol: Protocol) -> None:
    """Raises EvaluationError unless what the protocol states is what it will be measured with."""
    extractor, reference = against.extractor, against.reference
    check_enough(len(reference.features), protocol.samples)  # refuses now what would fail after the sampling
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
