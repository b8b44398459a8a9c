"""Draw samples in chunks, each from a generator of its own, and quantise them to 8 bits."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.keys import seeded

Sample = Callable[[int, torch.Generator], Tensor]  # (n, generator) -> float32 n x C x H x W in [-1, 1]
Labels = Callable[[int, torch.Generator], Tensor | None]  # (n, generator) -> the labels, int64 n, that it draws first


def quantise(x: Tensor) -> Tensor:
    """Round float32 N x C x H x W in [-1, 1] to uint8, as when saved; the inverse of x / 127.5 - 1 on all 256 values.

    Raises EvaluationError for another type or shape, and for NaN or infinity.
    """
    return ((check_samples(x) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def check_samples(x: Tensor) -> Tensor:
    """Return `x` if it is float32 N x C x H x W and finite; raise EvaluationError otherwise."""
    if x.dtype != torch.float32 or x.dim() != 4:
        raise EvaluationError(f"samples of type {x.dtype} and shape {tuple(x.shape)} are not float32 N x C x H x W.")
    if bad := int((~x.isfinite()).flatten(1).any(1).sum()):
        raise EvaluationError(f"{bad} of {len(x)} samples hold NaN or infinity.")
    return x


QUANTISATIONS = {"uint8": quantise, "none": check_samples}  # by the protocol's name


def chunk_generator(device: torch.device | str, seed: int, training_seed: int, k: int) -> torch.Generator:
    """Return the generator of chunk k."""
    return seeded(device, "samples", seed, training_seed, k)


def generate(
    sample: Sample,
    n: int,
    *,
    chunk: int,
    seed: int,
    training_seed: int = 0,
    quantisation: str = "uint8",
    device: torch.device | str = "cpu",
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (k, images) for the chunks k of n samples that `rank` draws: k = rank modulo `world_size`.

    The images are uint8, or float32 as they were drawn for quantisation "none". Chunk k has a generator of its own,
    seeded by a key of (seed, training_seed, k). So the images depend on the chunk size but not on the number of ranks.
    Models of different training seeds are sampled from different noise: from equal noise their samples would be
    correlated, and the spread over seeds would miss part of the variance of sampling. The last chunk may be smaller.
    """
    numbers = range(rank, -(-n // chunk), world_size)
    for done, k in enumerate(numbers):
        if progress:
            progress("sampling", done, len(numbers))
        size = min(chunk, n - k * chunk)
        x = sample(size, chunk_generator(device, seed, training_seed, k))
        if len(x) != size:
            raise EvaluationError(f"sample({size}) returned {len(x)} images.")
        yield k, QUANTISATIONS[quantisation](x)
    if progress:
        progress("sampling", len(numbers), len(numbers))


def labels_of(
    labels: Labels, n: int, *, chunk: int, seed: int, training_seed: int, device: torch.device | str
) -> Tensor:
    """Return the labels of the n samples that `generate` draws, int64 n on the CPU, in the order of the chunks.

    Captions, n x length, are drawn likewise.

    Raises EvaluationError where `labels` draws none.
    """
    sizes = [min(chunk, n - start) for start in range(0, n, chunk)]
    drawn = [labels(size, chunk_generator(device, seed, training_seed, k)) for k, size in enumerate(sizes)]
    parts = [part.cpu() for part in drawn if part is not None]
    if len(parts) < len(drawn):
        raise EvaluationError("the model drew no labels, though its samples are to be judged by them.")
    return torch.cat(parts)
