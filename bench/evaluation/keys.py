"""Derive seeds of random streams from a purpose and numbers, so that no two purposes share a stream."""

import hashlib

import numpy as np
import torch


def key(purpose: str, *numbers: int) -> int:
    """Return a 32-bit seed for a purpose and any numbers >= 0, mixed by numpy's SeedSequence.

    torch's CPU generator uses 32 bits of a seed: two seeds that differ only above them give the same stream.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    # the count, because a SeedSequence ignores trailing zeros
    return int(np.random.SeedSequence([word, len(numbers), *numbers]).generate_state(1, np.uint32)[0])


def seeded(device: torch.device | str, purpose: str, *numbers: int) -> torch.Generator:
    """Return a generator on `device`, seeded by `key` of the purpose and the numbers."""
    return torch.Generator(device).manual_seed(key(purpose, *numbers))
