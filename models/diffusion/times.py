"""Random times at which a batch is trained."""

import torch
from torch import Tensor

from models.stratified import stratified


def spread_times(T: int, n: int, device: torch.device) -> Tensor:
    """n times, each uniform on 1 ... T, but spread evenly over them together."""
    return (stratified(n, device) * T).long() + 1
