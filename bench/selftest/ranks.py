"""Compare an evaluation by two processes with that by one, which must be equal."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from bench.evaluation.evaluate import evaluate
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet

RANKS = 2
SAMPLES, CHUNK = 400, 50  # four chunks a rank


class ImageSampler:
    """A model that draws from given images."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        indices = torch.randint(len(self.images), (n,), generator=generator)
        return self.images[indices].float() / 127.5 - 1


def largest_difference(images: Tensor, reference_set: ReferenceSet, protocol: Protocol) -> float:
    """Return the largest relative difference of a figure between two processes and this one, on fewer samples."""
    protocol = replace(protocol, samples=SAMPLES, chunk=CHUNK, kid_subset_size=SAMPLES)
    alone = evaluate(ImageSampler(images), reference_set, protocol).metrics
    with tempfile.TemporaryDirectory() as folder:
        arguments = (Path(folder), torch.get_num_threads(), images, reference_set, protocol)
        spawn(_rank, arguments, nprocs=RANKS)
        results = [torch.load(Path(folder) / f"rank-{rank}.pt", weights_only=True) for rank in range(RANKS)]
    return max(_relative_difference(metrics[name], value) for metrics in results for name, value in alone.items())


def _relative_difference(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def _rank(
    rank: int, folder: Path, threads: int, images: Tensor, reference_set: ReferenceSet, protocol: Protocol
) -> None:
    torch.set_num_threads(threads)  # so that sums are added in the same order alone and together
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=RANKS)
    torch.save(evaluate(ImageSampler(images), reference_set, protocol).metrics, folder / f"rank-{rank}.pt")
    dist.destroy_process_group()
