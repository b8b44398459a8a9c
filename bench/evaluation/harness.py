"""Chunks -> samples -> features -> metrics, on one process or many with the same result."""

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Progress, check_images
from bench.evaluation.protocol import Protocol
from bench.evaluation.reference import subset
from bench.evaluation.samples import Sample, generate
from bench.evaluation.scoring import Against, Evaluation, Part, measure, score


def evaluate(
    sample: Sample,
    against: Against,
    protocol: Protocol,
    *,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Every metric of `protocol.samples` images from `sample`, which is given generators on `device`.

    Inside an initialised torch.distributed group the chunks are dealt to the ranks and every rank returns the same
    Evaluation, equal to one process's. Raises EvaluationError if the samples are not images like the reference's, or if
    the protocol speaks of something else than `against`.
    """
    check_protocol(against, protocol)
    grouped = dist.is_available() and dist.is_initialized()
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if grouped else (0, 1)
    seconds = {"sampling": 0.0, "features": 0.0, "nearest": 0.0}

    def own() -> dict[int, Part]:
        parts: dict[int, Part] = {}
        start = time.perf_counter()
        for k, images in generate(
            sample,
            protocol.samples,
            chunk=protocol.chunk,
            seed=protocol.seed,
            quantisation=protocol.quantisation,
            device=device,
            rank=rank,
            world_size=world_size,
            progress=progress,
        ):
            seconds["sampling"] += time.perf_counter() - start
            parts[k] = measure(images, k * protocol.chunk, against, seconds)
            start = time.perf_counter()
        return parts

    if world_size == 1:
        return score(own(), against, protocol, seconds, progress)
    gathered: list[Any] = [None] * world_size
    dist.gather_object(attempt(own), gathered if rank == 0 else None)
    result: list[Any] = [None]
    if rank == 0:
        result = [attempt(lambda: score(merged(gathered), against, protocol, seconds, progress))]
    dist.broadcast_object_list(result)
    if isinstance(result[0], EvaluationError):
        raise result[0]
    return result[0]


def attempt(work: Callable[[], Any]) -> Any:
    """What `work` returns, or the EvaluationError that it raises: one rank's refusal must not leave others waiting."""
    try:
        return work()
    except EvaluationError as error:
        return error


def merged(gathered: list[Any]) -> dict[int, Part]:
    """The ranks' parts together; raises the first rank's EvaluationError if there is one."""
    for share in gathered:
        if isinstance(share, EvaluationError):
            raise share
    return {k: part for share in gathered for k, part in share.items()}


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
    chosen = images[subset(len(images), protocol.samples, protocol.seed)]
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
    subset(len(reference.features), protocol.samples, protocol.seed)  # refuses now what would fail after the sampling
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
