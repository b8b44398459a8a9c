"""Training batches as index operations on images that are already in memory."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
SHARE = 0.5  # of a GPU's free memory that the images of a data set may take


def to_unit(images: Tensor) -> Tensor:
    """uint8 in 0 .. 255, any shape -> a new float32 tensor in [-1, 1], x / 127.5 - 1; of float32, an unscaled copy."""
    if images.dtype == torch.float32:
        return images.clone()
    # In this order the difference is exact, 0 and 255 become -1 and 1 exactly, and x and 255 - x opposite numbers.
    return images.to(torch.float32).sub_(127.5).mul_(1 / 127.5)


def fits(images: Tensor, device: torch.device) -> bool:
    """Return whether the images leave more than half of a GPU's free memory to the training; elsewhere they do."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.numel() * images.element_size() <= SHARE * free


class BatchStream:
    """The whole training budget as one pass over `batches` batches, resumable at any of them.

    The order of the images is the endless concatenation of one permutation an epoch, epoch e drawn from
    (seed, e). Global batch k takes its entries k * batch_size .. (k + 1) * batch_size - 1, so it may straddle epochs
    and depends on nothing but (seed, k). Rank r of W takes the r-th of W equal, contiguous shares: the
    ranks' batches, joined in rank order, are the single process's batch.

    It is deliberately no `DataLoader`, so Lightning neither re-creates it nor gives it a `DistributedSampler`;
    its `state_dict` goes into the checkpoint and brings Lightning back to the middle of the budget.

    Args:
        images: uint8 or, in [-1, 1], float32, N x C x H x W; moved to `device` once, here, if they fit there.
        labels: int64, N.
        batch_size: images a batch over all ranks; a multiple of `world_size`.
        batches: length of the stream, in batches.
        seed: 0 or more.
        device: where the batches are made.
        rank: this process, 0 .. world_size - 1.
        world_size: number of processes that share each batch.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        batches: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        place = device if fits(images, device) else images.device
        self.images, self.labels, self.device = images.to(place), labels.to(place), device
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.share = batch_size // world_size
        self.rank = rank
        self.consumed = 0
        self._epoch = -1  # the epoch that _permuted belongs to; one is enough, as batches are asked for in order
        self._permuted = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Batches in the whole stream, also after a part of them was consumed, as Lightning counts them."""
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the stream; nothing once it is spent."""
        while self.consumed < self.batches:
            batch = self.batch(self.consumed)
            # Counted before it is handed out, so that a checkpoint made after the step on this batch includes it.
            self.consumed += 1
            yield batch

    def batch(self, k: int) -> Batch:
        """This rank's share of global batch k: float32 in [-1, 1], n x C x H x W, and int64 labels, n."""
        index = self._order(k * self.batch_size + self.rank * self.share, self.share)
        images, labels = self.images.index_select(0, index), self.labels.index_select(0, index)
        return to_unit(images.to(self.device)), labels.to(self.device)

    def state_dict(self) -> dict[str, int]:
        """Progress as the number of batches consumed, the same on every rank."""
        return {"consumed": self.consumed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batches that `state` counts."""
        self.consumed = state["consumed"]

    def _order(self, first: int, count: int) -> Tensor:
        """Entries first .. first + count - 1 of the concatenated permutations, int64."""
        parts = []
        while count:
            epoch, offset = divmod(first, len(self.images))
            part = self._permutation(epoch)[offset : offset + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            # NumPy on the CPU: its seeds may be tuples, and the order is the same whatever the device.
            permuted = np.random.default_rng((self.seed, epoch)).permutation(len(self.images))
            self._epoch, self._permuted = epoch, torch.from_numpy(permuted).to(self.images.device)
        return self._permuted
