"""The settings of a sampler of a diffusion process, as YAML files and protocols hold them, and what they draw."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models.diffusion.grids import SIGMA_MAX, SIGMA_MIN, even, karras, log_snr, sigma_range
from models.diffusion.own_samplers import evaluated_times, own_sampler
from models.diffusion.process import Process
from models.diffusion.samplers import Denoiser, ancestral, ddim
from models.diffusion.solvers import dpm_solver_2m, heun, unipc
from models.guidance_interval import GuidanceInterval

Method = Literal["ancestral", "ddim", "dpm-solver", "unipc", "heun"]
Grid = Literal["time", "log-snr", "karras"]


@dataclass(frozen=True)
class SamplerSettings:
    """A method, its number of steps (None: all T), and the grid of times that it visits.

    eta: the share of the process's noise that ddim and dpm-solver draw (None: 0). sigma_max, sigma_min: the noise
    levels that the grids log-snr and karras keep to (None: those of models/diffusion/grids.py, or the ends of a
    process that does not reach so far). guidance: weight of a denoiser against an earlier one (None: no guidance).
    label_guidance: w of a denoiser of given labels against one without (None: 0). guided_from, guided_to: guide at
    noise levels sigma above the first and up to the second only (None: 0, and all). A guided evaluation counts twice.
    function: key of a user's own function that draws in the method's place, see `own_samplers`.
    """

    method: Method = "ancestral"
    steps: int | None = None
    grid: Grid = "time"
    eta: float | None = None
    sigma_max: float | None = None
    sigma_min: float | None = None
    guidance: float | None = None
    label_guidance: float | None = None
    guided_from: float | None = None
    guided_to: float | None = None
    function: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError about a setting that the method or the grid has no use for."""
        if self.function is not None and (self.method != "ancestral" or self.eta is not None):
            other = f"method={self.method}" if self.method != "ancestral" else f"eta={self.eta:g}"
            raise ValueError(f"{other}: function={self.function} draws by itself; leave one of them out")
        if self.eta is not None and self.method in ("ancestral", "unipc", "heun"):
            noise = "all of the process's noise" if self.method == "ancestral" else "no noise"
            raise ValueError(
                f"eta={self.eta:g}: method={self.method} draws {noise}; leave eta out, or choose ddim or dpm-solver"
            )
        if self.guidance is not None and self.label_guidance is not None:
            raise ValueError(
                f"guidance={self.guidance:g}: cannot be combined with label_guidance={self.label_guidance:g}; leave "
                "one of them out"
            )
        self.interval.check(self.guidance or self.label_guidance)
        for name, sigma in (("sigma_max", self.sigma_max), ("sigma_min", self.sigma_min)):
            if sigma is not None and self.grid == "time":
                raise ValueError(f"{name}={sigma:g}: grid=time visits all noise levels; choose grid=log-snr or karras")

    @property
    def interval(self) -> GuidanceInterval:
        return GuidanceInterval(self.guided_from, self.guided_to)

    def visited(self, process: Process) -> list[int]:
        """Return the times from T to 0; raise ValueError where the process does not have them."""
        steps = process.T if self.steps is None else self.steps
        if self.grid == "time":
            return even(process.T, steps)
        spaced = {"log-snr": log_snr, "karras": karras}[self.grid]
        lowest, highest = sigma_range(process)
        sigma_max, sigma_min = self.sigma_max or min(SIGMA_MAX, highest), self.sigma_min or max(SIGMA_MIN, lowest)
        return spaced(process, steps, sigma_max, sigma_min)

    def passes(self, process: Process) -> int:
        """Return the number of the denoiser's evaluations of each image."""
        evaluated = self.evaluated(process)
        if self.guidance is None and not self.label_guidance:
            return len(evaluated)
        guided = self.guided(process)
        return sum(2 if guided(torch.tensor([t])) else 1 for t in evaluated)

    def evaluated(self, process: Process) -> list[int]:
        """Return the times at which the denoiser is evaluated; ValueError where the process does not have them."""
        visited = self.visited(process)
        if self.function is not None:
            return evaluated_times(self.function, process, visited)
        # heun evaluates the denoiser once in the first and in the last step
        return visited[:-1] + (visited[2:-1] if self.method == "heun" else [])

    def guided(self, process: Process) -> Callable[[Tensor], bool]:
        """Return whether the times of a batch, N equal ones, lie in the interval of guidance."""
        if not self.interval.limited:  # without waiting for the device to tell the time
            return lambda t: True
        return lambda t: math.exp(-process.half_log_snr[int(t[0])]) in self.interval

    def draw(self, denoiser: Denoiser, process: Process, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return x_0 from x_T, N x C x H x W."""
        visited = self.visited(process)
        if self.function is not None:
            return own_sampler(self.function)(denoiser, process, x, visited, generator)
        if self.method == "ancestral":
            return ancestral(denoiser, process, x, visited, generator)
        if self.method == "ddim":
            return ddim(denoiser, process, x, visited, generator, self.eta or 0.0)
        if self.method == "dpm-solver":
            return dpm_solver_2m(denoiser, process, x, visited, generator, self.eta or 0.0)
        if self.method == "unipc":
            return unipc(denoiser, process, x, visited)
        return heun(denoiser, process, x, visited)
