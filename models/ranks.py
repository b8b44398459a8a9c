"""Train on several ranks, each with an equal share of every batch, as one process trains on the whole batch.

All ranks have the same state of torch's random numbers at each batch: every rank draws for the global batch and keeps
its share. Outside a process group this has no cost and changes no number.
"""

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Processes that share each batch; 1 outside a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_share(draw: Callable[[int], Tensor], n: int) -> Tensor:
    """Return this rank's n rows of `draw(m)`, which draws rows for the m images of all ranks, n images each."""
    if world_size() == 1:
        return draw(n)
    return draw(n * world_size())[dist.get_rank() * n :][:n]


def gather(rows: Tensor) -> Tensor:
    """Return the rows of all ranks in rank order, without their gradients; all ranks have equally many."""
    if world_size() == 1:
        return rows
    shares = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(shares, rows.contiguous())
    return torch.cat(shares)


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over the ranks, in one exchange; no gradient passes through."""
    if world_size() == 1:
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.detach().copy_(mean.view(tensor.shape))
