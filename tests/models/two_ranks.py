"""Run by test_autoencoder.py, once a rank: fit a RunningGaussian in a gloo group, each rank given its share.

Arguments: rank, world size, folder with batches.pt (batches x vectors x dimension).
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from models.networks.running_gaussian import RunningGaussian


def main(rank: int, world_size: int, folder: Path) -> None:
    batches = torch.load(folder / "batches.pt")
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    fitted = RunningGaussian(batches.shape[2], 0.9)
    for batch in batches:
        fitted.update(batch.chunk(world_size)[rank])
    dist.destroy_process_group()
    torch.save(fitted.state_dict(), folder / f"rank-{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
