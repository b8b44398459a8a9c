"""Random times at which a batch is trained."""

import torch
from torch import Tensor


def spread_times(T: int, n: int, device: torch.device) -> Tensor:
    """n times, each uniform on 1 ... T, but spread evenly over them together, so that the loss varies less.

    Kingma et al. 2021, Variational Diffusion Models (arXiv:2107.00630), Appendix I.1.
    """
    u = (torch.rand((), device=device) + torch.arange(n, device=device) / n) % 1
    return (u * T).long() + 1
