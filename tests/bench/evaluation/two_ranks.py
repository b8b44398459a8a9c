"""Run by test_distributed.py: two ranks, each of which evaluates alone, then in a gloo group, and writes both results.

Argument: a folder with assets/ and split.pt.
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.reference import held_out, reference
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.keys import seeded
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet, SecondReference
from tests.forks import all_succeeded, forked


def noise(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, 1, 28, 28, generator=generator) ** 2 * 2 - 1


def partly_nan(n: int, generator: torch.Generator) -> Tensor:
    """NaN in chunk 1, which falls to the second rank."""
    bad = generator.initial_seed() == seeded("cpu", "samples", 0, 0, 1).initial_seed()
    return noise(n, generator) / (0 if bad else 1)


def prepared(folder: Path) -> tuple[ReferenceSet, Protocol]:
    """What both ranks evaluate against, and how."""
    pretrained.ASSETS = folder / "assets"
    extractor = load_extractor("mnist-cnn")
    split = torch.load(folder / "split.pt")
    train = reference(split, extractor)
    beside = held_out(split.flip(3), train, extractor, samples=110, seed=0, cells_wanted=3)
    network = random_network()
    second = SecondReference(network, reference(split, network).moments)
    protocol = Protocol(
        data="mnist",
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        reference_digest=train.digest,
        held_out_digest=beside.digest,
        cells=3,
        samples=110,
        chunk=25,
        kid_subsets=5,
    )
    return ReferenceSet(extractor, train, beside, random=second), protocol


def main(rank: int, world_size: int, folder: Path, against: ReferenceSet, protocol: Protocol) -> None:
    alone = evaluate(noise, against, protocol)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    together = evaluate(noise, against, protocol)
    try:
        evaluate(partly_nan, against, protocol)
        refusal = ""
    except EvaluationError as error:
        refusal = str(error)
    dist.destroy_process_group()
    assert alone.closest is not None
    assert together.closest is not None
    result = {
        "alone": [alone.metrics, alone.intervals, alone.fid_by_count],
        "together": [together.metrics, together.intervals, together.fid_by_count],
        "refusal": refusal,
        "flags": [list(alone.flags), list(together.flags)],
        "same images": torch.equal(alone.images, together.images),
        "same pairs": torch.equal(alone.closest.training, together.closest.training),
    }
    (folder / f"rank-{rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    torch.set_num_threads(1)  # so that sums are added in the same order alone and together, and no fork loses a thread
    folder = Path(sys.argv[1])
    arguments = prepared(folder)
    ranks = [forked(partial(main, rank, 2, folder, *arguments)) for rank in (0, 1)]
    sys.exit(not all_succeeded(ranks))
