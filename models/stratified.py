"""Random numbers that a batch's images share out among themselves, so that a loss varies less."""

import torch
from torch import Tensor


def stratified(n: int, device: torch.device) -> Tensor:
    """n numbers, each uniform on [0, 1), but spread evenly over it together.

    Kingma et al. 2021, Variational Diffusion Models (arXiv:2107.00630), Appendix I.1.
    """
    return (torch.rand((), device=device) + torch.arange(n, device=device) / n) % 1
