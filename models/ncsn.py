"""Noise-conditional score network."""

import math
from functools import partial
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, Optimizer, noise, sampling
from models.diffusion.langevin import annealed_langevin
from models.diffusion.noise_levels import FEWEST, geometric, langevin_step_size, level_count
from models.diffusion.process import Process, sigma_beta
from models.diffusion.sampler_settings import Grid, Method, SamplerSettings
from models.diffusion.samplers import Denoiser
from models.diffusion.times import spread_times
from models.networks.autoencoder import Architecture
from models.networks.captured import Pass, captured
from models.networks.time_network import time_network
from models.ranks import own_share

STEPS = 5  # Langevin steps at each noise level where the settings name none


class NCSN(GenerativeModel):
    """Song and Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution (arXiv:1907.05600),
    with the rules of Song and Ermon 2020, Improved Techniques for Training Score-Based Generative Models
    (arXiv:2006.09011), which is NCSNv2.

    One network learns the score of images at each of a geometric series of noise levels by denoising score matching;
    annealed Langevin dynamics samples with it. With sigma_1 / sigma_L = 100 and ten levels it is the first paper's.

    Departures from the papers: a U-Net in place of the RefineNet. It takes y / sqrt(1 + sigma^2), so that its inputs
    are of one scale, and the number of the level, and it predicts the noise: -sigma times the score, which is Technique
    3's division by sigma. Images are in [-1, 1] and not in [0, 1], which doubles every sigma. The rate has a warm-up
    and decays. In those units the levels are a `Process` in which the samplers of a DDPM work as well.

    sigma_max: the highest noise level; Technique 1: the largest distance of two images (`largest_distance`). sigma_min:
    the lowest, 0.01 of [0, 1]. levels: their number (None: by Technique 2, for five values an image or more).
    architecture: "conv", the U-Net, or "linear", a `ResidualPerceptron`. channels, patch, attention: see `UNet`, unused
    by "linear". blocks: of the U-Net at each resolution, of the perceptron in all. hidden: width of the perceptron,
    unused by "conv". learning_rate: peak of Adam's rate, reached after `warmup` batches and decayed to zero by a half
    cosine. ema_decay: of the weights that sample, Technique 5's.
    optimizer: "adam", or "muon" for the hidden weights, at ten times the rate, see `Muon`.
    """

    family = "diffusion"

    def __init__(
        self,
        data: DataSpec,
        *,
        sigma_max: PositiveFloat = 34.0,
        sigma_min: PositiveFloat = 0.02,
        levels: Annotated[int, Ge(2)] | None = None,
        architecture: Architecture = "conv",
        channels: Annotated[list[PositiveInt], MinLen(1)] = [32, 64],  # noqa: B006, never changed
        blocks: PositiveInt = 1,
        patch: PositiveInt = 2,
        attention: bool = False,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
        warmup: NonNegativeInt = 200,
        ema_decay: Annotated[float, Gt(0), Lt(1)] = 0.999,
        optimizer: Optimizer = "adam",
    ) -> None:
        super().__init__(data)
        sigmas = noise_levels(sigma_max, sigma_min, levels, math.prod(data.image_shape))
        self.process = Process(sigma_beta(sigmas))
        self.network = time_network(
            architecture,
            data.image_shape,
            channels=channels,
            blocks=blocks,
            patch=patch,
            attention=attention,
            hidden=hidden,
        )
        self.sigma_min, self.ratio = sigma_min, (sigmas[1] / sigmas[0]).item()
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.optimizer_name = optimizer

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_0, _ = batch
        t = own_share(lambda m: spread_times(self.process.T, m, x_0.device), len(x_0))
        eps = own_share(lambda m: torch.randn(m, *self.image_shape, device=x_0.device), len(x_0))
        # Song and Ermon 2019, Eq. 6 with lambda(sigma) = sigma^2, twice and a value instead of an image:
        # sigma^2 |s(y, sigma) + (y - x_0) / sigma^2|^2 = |eps - the predicted eps|^2
        loss = (self.predicted_eps(self.network, self.process.q_sample(x_0, t, eps), t) - eps).square().mean()
        self.log_losses(loss=loss)
        return loss

    def predicted_eps(self, network: Pass, x_t: Tensor, t: Tensor) -> Tensor:
        """eps = -sigma s, of x_t = y / sqrt(1 + sigma^2), from the velocity that a network predicts of it.

        v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (Salimans and Ho 2022, arXiv:2202.00512, Appendix D): at much
        noise, where all but a little of eps stands in x_t, the network has to find the little only.
        """
        signal, deviation = (table[t].view(-1, 1, 1, 1) for table in (self.process.signal, self.process.deviation))
        return signal * network(x_t, t) + deviation * x_t

    def denoiser(self, x: Tensor, passes: int) -> Denoiser:
        """`predicted_eps` for images like x, by a network that is recorded where so many passes are worth it."""
        t = torch.full((len(x),), self.process.T, device=self.device)
        return partial(self.predicted_eps, captured(self.network, x, t, passes=passes))

    def passes(self, **settings: Any) -> int:
        solver = solver_settings(**settings)
        if solver is None:
            return self.process.T * (settings.get("steps") or STEPS) + 1
        return solver.passes(self.process)

    def check_sampler(self, **settings: Any) -> None:
        solver = solver_settings(**settings)
        if solver is not None:
            solver.visited(self.process)
        step_size, limit = settings.get("step_size"), 2 * self.sigma_min**2
        if step_size is not None and step_size >= limit:
            raise ValueError(
                f"step_size={step_size:g}: Langevin dynamics diverge from 2 sigma_min^2 on; choose less than {limit:g}"
            )

    @sampling
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        method: Literal["langevin"] | Method = "langevin",
        steps: PositiveInt | None = None,
        step_size: PositiveFloat | None = None,
        grid: Grid = "time",
        eta: NonNegativeFloat | None = None,
        sigma_max: PositiveFloat | None = None,
        sigma_min: PositiveFloat | None = None,
    ) -> Tensor:
        """Draw images by annealed Langevin dynamics, or by a sampler of a DDPM on the same noise levels.

        method: "langevin", which takes `steps` (None: 5) steps of `step_size` (epsilon; None: by Technique 4) at every
        level from uniform noise, and denoises the last image. The others and their settings are those of `DDPM.sample`;
        their steps, in all, are the levels where `steps` is not given.
        """
        solver = solver_settings(method, steps, step_size, grid=grid, eta=eta, sigma_max=sigma_max, sigma_min=sigma_min)
        shape = (n, *self.image_shape)
        if solver is not None:
            x_T = noise(shape, generator, self.device)
            return solver.draw(self.denoiser(x_T, solver.passes(self.process)), self.process, x_T, generator)
        per_level = steps or STEPS
        epsilon = step_size or langevin_step_size(self.sigma_min, self.ratio, per_level)
        y = 2 * torch.rand(shape, generator=generator, device=generator.device).to(self.device) - 1
        denoiser = self.denoiser(y, self.passes(steps=per_level))
        return annealed_langevin(denoiser, self.process, y, per_level, epsilon, generator)


def noise_levels(sigma_max: float, sigma_min: float, levels: int | None, dimensions: int) -> Tensor:
    """Return geometric levels from sigma_min to sigma_max; ValueError where there is no such number of them."""
    if sigma_min >= sigma_max:
        raise ValueError(f"sigma_min={sigma_min:g}: choose a value below sigma_max={sigma_max:g}")
    if levels is None and dimensions < FEWEST:
        raise ValueError(
            f"levels=null: the rule for their number needs {FEWEST} values an image, not {dimensions}; choose a "
            "number, 2 or more"
        )
    return geometric(sigma_max, sigma_min, levels or level_count(sigma_max, sigma_min, dimensions))


def solver_settings(
    method: Literal["langevin"] | Method = "langevin",
    steps: int | None = None,
    step_size: float | None = None,
    **others: Any,
) -> SamplerSettings | None:
    """Return the settings of a sampler of the process, None for Langevin dynamics; ValueError for a mixture of both."""
    if method == "langevin":
        for name, value in others.items():
            if value is not None and (name, value) != ("grid", "time"):
                raise ValueError(
                    f"{name}={value}: method=langevin steps at every level; leave {name} out, or choose ancestral, "
                    "ddim, dpm-solver, unipc or heun"
                )
        return None
    if step_size is not None:
        raise ValueError(f"step_size={step_size:g}: method={method} takes no Langevin steps; choose method=langevin")
    return SamplerSettings(method, steps, **others)
