"""Chunks -> samples -> features -> metrics, on one process or many with the same result."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import Extractor, Progress, check_images, full_float32
from bench.evaluation.metrics import METRICS, FeatureSets
from bench.evaluation.protocol import Protocol
from bench.evaluation.reference import Reference, subset

Sample = Callable[[int, torch.Generator], Tensor]  # (n, generator) -> float32 n x C x H x W in [-1, 1]

SHOWN = 64  # images kept for a picture


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One row's figures. `flags` are sentences about what makes them doubtful; none is the normal case."""

    images: Tensor  # the first 64, uint8 N x C x H x W
    metrics: dict[str, float]  # by the names in METRICS
    flags: tuple[str, ...]
    seconds: dict[str, float]  # wall-clock by stage: sampling, features, each metric; of the first rank


@dataclass(frozen=True)
class _Chunk:
    shown: Tensor
    features: Tensor
    hashes: list[bytes]  # of each image, to count the distinct ones


def quantise(x: Tensor) -> Tensor:
    """float32 N x C x H x W in [-1, 1] -> uint8, rounded as when saved; the inverse of x / 127.5 - 1 on all 256 values.

    Raises EvaluationError for another type or shape, and for NaN or infinity.
    """
    if x.dtype != torch.float32 or x.dim() != 4:
        raise EvaluationError(f"samples of type {x.dtype} and shape {tuple(x.shape)} are not float32 N x C x H x W.")
    if bad := int((~x.isfinite()).flatten(1).any(1).sum()):
        raise EvaluationError(f"{bad} of {len(x)} samples hold NaN or infinity.")
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def generate(
    sample: Sample,
    n: int,
    *,
    chunk: int,
    seed: int,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """(k, uint8 images) for the chunks k of n samples that fall to `rank`: k = rank modulo `world_size`.

    Chunk k has a generator of its own, seeded by (seed, k) through numpy's SeedSequence, so the images depend on the
    chunk size but not on how many ranks share the work. The last chunk may be smaller.
    """
    mine = range(rank, -(-n // chunk), world_size)
    for done, k in enumerate(mine):
        if progress:
            progress("sampling", done, len(mine))
        size = min(chunk, n - k * chunk)
        x = sample(size, seeded(device, seed, k))
        if len(x) != size:
            raise EvaluationError(f"sample({size}) returned {len(x)} images.")
        yield k, quantise(x)
    if progress:
        progress("sampling", len(mine), len(mine))


def seeded(device: torch.device | str, *keys: int) -> torch.Generator:
    """A generator on `device` of these keys' own, mixed by numpy's SeedSequence."""
    mixed = int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(mixed)


def evaluate(
    sample: Sample,
    reference: Reference,
    extractor: Extractor,
    protocol: Protocol,
    *,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Every metric of `protocol.samples` images from `sample`, which is given generators on `device`.

    Inside an initialised torch.distributed group the chunks are dealt to the ranks and every rank returns the same
    Evaluation, equal to one process's. Raises EvaluationError if the samples are not images like the reference's, or if
    the protocol speaks of another extractor or reference.
    """
    _check_protocol(reference, extractor, protocol)
    grouped = dist.is_available() and dist.is_initialized()
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if grouped else (0, 1)
    seconds = {"sampling": 0.0, "features": 0.0}
    chunks: dict[int, _Chunk] = {}
    start = time.perf_counter()
    for k, images in generate(
        sample,
        protocol.samples,
        chunk=protocol.chunk,
        seed=protocol.seed,
        device=device,
        rank=rank,
        world_size=world_size,
        progress=progress,
    ):
        sampled = time.perf_counter()
        chunks[k] = _chunk(images, k * protocol.chunk, reference, extractor)
        seconds["sampling"] += sampled - start
        seconds["features"] += (start := time.perf_counter()) - sampled
    if world_size == 1:
        return _score(chunks, reference, protocol, seconds, progress)
    gathered: list[dict[int, _Chunk]] = [{}] * world_size
    dist.gather_object(chunks, gathered if rank == 0 else None)
    result: list[Any] = [None]
    if rank == 0:
        merged = {k: chunk for part in gathered for k, chunk in part.items()}
        result = [_score(merged, reference, protocol, seconds, progress)]
    dist.broadcast_object_list(result)
    return result[0]


def evaluate_images(
    images: Tensor, reference: Reference, extractor: Extractor, protocol: Protocol, progress: Progress | None = None
) -> Evaluation:
    """The same figures for images that are there already, uint8 N x C x H x W: a held-out split, another program's.

    `protocol.samples` of them are chosen by its seed, without repetition; raises EvaluationError if there are fewer.
    """
    check_images(images)
    _check_protocol(reference, extractor, protocol)
    chosen = images[subset(len(images), protocol.samples, protocol.seed)]
    start = time.perf_counter()
    parts = chosen.split(protocol.chunk)
    chunks = {k: _chunk(part, k * protocol.chunk, reference, extractor) for k, part in enumerate(parts)}
    return _score(chunks, reference, protocol, {"features": time.perf_counter() - start}, progress)


def _chunk(images: Tensor, first: int, reference: Reference, extractor: Extractor) -> _Chunk:
    """Features of one chunk by itself, so that they do not depend on which rank meets it; `first`: its first index."""
    if images.shape[1:] != reference.shape:
        raise EvaluationError(f"samples are {tuple(images.shape[1:])}, but the reference's images {reference.shape}.")
    rows = images.cpu().flatten(1).numpy()
    hashes = [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
    return _Chunk(images[: max(0, SHOWN - first)].cpu(), extractor(images), hashes)


def _score(
    chunks: dict[int, _Chunk],
    reference: Reference,
    protocol: Protocol,
    seconds: dict[str, float],
    progress: Progress | None,
) -> Evaluation:
    parts = [chunks[k] for k in sorted(chunks)]
    generated = torch.cat([part.features for part in parts])
    manifold = reference.manifold(protocol.samples, protocol.seed)
    sets = FeatureSets(generated, manifold, reference.moments, protocol)
    values: dict[str, float] = {}
    for done, (name, metric) in enumerate(METRICS.items(), start=1):
        start = time.perf_counter()
        with full_float32():
            values[name] = metric.compute(sets)
        seconds[name] = time.perf_counter() - start
        if progress:
            progress("metrics", done, len(METRICS))
    distinct = len({h for part in parts for h in part.hashes})
    return Evaluation(torch.cat([part.shown for part in parts]), values, _flags(generated, distinct), seconds)


def _flags(generated: Tensor, distinct: int) -> tuple[str, ...]:
    n, dim = generated.shape
    flags = []
    if distinct < n:
        flags.append(f"only {distinct:,} of {n:,} samples are distinct")
    if n <= dim:
        flags.append(f"{n:,} samples are too few for the covariance of {dim:,} features: FID is far too high")
    return tuple(flags)


def _check_protocol(reference: Reference, extractor: Extractor, protocol: Protocol) -> None:
    subset(len(reference.features), protocol.samples, protocol.seed)  # refuses now what would fail after the sampling
    for name, stated, actual in (
        ("extractor", protocol.extractor, extractor.name),
        ("extractor_digest", protocol.extractor_digest, extractor.digest),
        ("extractor_digest", protocol.extractor_digest, reference.extractor_digest),
        ("reference_digest", protocol.reference_digest, reference.digest),
    ):
        if stated != actual:
            raise EvaluationError(f"the protocol states {name}={stated}, but what was given is {actual}.")
