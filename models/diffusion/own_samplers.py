"""Samplers that users write themselves: functions like those of samplers.py, under keys that settings can hold."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser

# (denoiser, process, x_T, times from T to 0, generator) -> x_0, like x_T
Function = Callable[[Denoiser, Process, Tensor, Sequence[int], torch.Generator], Tensor]
TRIED = (2, 3, 8, 8)  # N x C x H x W, of a trial without a network

OWN: dict[str, Function] = {}  # by their key, which tells versions of a function apart


def own_sampler(key: str) -> Function:
    """Return the function of a key; ValueError if none was named by its place."""
    if key not in OWN:
        raise ValueError(
            f"function={key}: was not named by its place, as in samplers=[./mine.py:mine-20], or its source files have "
            "changed since"
        )
    return OWN[key]


def evaluated_times(key: str, process: Process, visited: Sequence[int]) -> list[int]:
    """Return the times at which a function evaluates the denoiser, by a trial with one that predicts no noise.

    ValueError if the function fails, or does not return finite images like its input.
    """
    function, times = own_sampler(key), []

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        times.append(int(t[0]))
        return torch.zeros_like(x)

    x = torch.randn(TRIED, generator=torch.Generator().manual_seed(0))
    try:
        drawn = function(denoiser, process, x, visited, torch.Generator().manual_seed(0))
    except Exception as error:
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ValueError(f"function={key}: raises {' '.join(message.split())}") from error
    if not isinstance(drawn, Tensor) or drawn.shape != x.shape:
        found = tuple(drawn.shape) if isinstance(drawn, Tensor) else type(drawn).__name__
        raise ValueError(f"function={key}: returns {found} for x of {TRIED}; expected images like x")
    if not drawn.isfinite().all():
        raise ValueError(f"function={key}: returns NaN or infinity for a denoiser that predicts no noise")
    return times
