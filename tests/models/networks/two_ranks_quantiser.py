"""Run by test_quantiser.py, once a rank: quantise this rank's half of each batch in a gloo group, and save the result.

Arguments: rank, world size, folder with given.pt (constructor arguments and state of each case, and the batches).
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from models.networks.quantiser import Quantiser


def main(rank: int, world_size: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(rank)  # each rank has a noise of its own
    given = torch.load(folder / "given.pt")
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    results = {}
    for name, arguments in given["cases"].items():
        quantiser = Quantiser(**arguments)
        quantiser.load_state_dict(given["states"][name])
        perplexities = [quantiser(batch.chunk(world_size)[rank]).perplexity for batch in given["batches"]]
        results[name] = {"state": quantiser.state_dict(), "perplexities": perplexities}
    dist.destroy_process_group()
    torch.save(results, folder / f"rank-{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
