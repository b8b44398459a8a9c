"""Seeds of random streams, each from a word for its purpose and its own numbers, so that no two purposes share one."""

import hashlib

import numpy as np
import torch


def key(purpose: str, *numbers: int) -> int:
    """A 32-bit seed of a purpose and any numbers >= 0, mixed by numpy's SeedSequence.

    32 bits, because torch's CPU generator keeps no more of a seed: two seeds that differ only above them open the same
    stream.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    # the count, because a SeedSequence takes no notice of trailing zeros
    return int(np.random.SeedSequence([word, len(numbers), *numbers]).generate_state(1, np.uint32)[0])


def seeded(device: torch.device | str, purpose: str, *numbers: int) -> torch.Generator:
    """A generator on `device`, seeded by `key` of the purpose and the numbers."""
    return torch.Generator(device).manual_seed(key(purpose, *numbers))
