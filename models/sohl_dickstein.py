"""The first diffusion model."""

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, GenerativeModel, Optimizer, inference, sampling
from models.corruption import random_numbers
from models.diffusion.bound import borders
from models.diffusion.grids import even
from models.diffusion.kernels import KERNELS, Kernel
from models.diffusion.times import spread_times
from models.losses import bits_per_dim
from models.networks.autoencoder import Architecture
from models.networks.captured import Pass, captured
from models.networks.time_network import time_network
from models.protocols import Bound
from models.ranks import own_share

TIMES = 20  # at most, besides the first, at which the bound is estimated for an image: each costs a pass


class SohlDickstein(GenerativeModel):
    """Sohl-Dickstein, Weiss, Maheswaranathan and Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium
    Thermodynamics (arXiv:1503.03585).

    A diffusion that erases the same share of the image in each of T steps, and a network that learns the reverse steps
    by the whole variational bound: mean and variance of every value of a Gaussian, or the probability of every bit.

    Departures from the paper: a `UNet` that takes the time, in place of convolutions and dense layers whose outputs are
    read out by bumps in time; a time of its own for every image of a batch, where the paper draws one for all; the
    bound of 8-bit levels, with the first step in it, where the paper has densities and fixes that step; Adam and
    averaged weights in place of RMSProp; the Gaussian's beta_t are fixed, as in the authors' code. Binary images are
    those of the data, with values above the middle one, 127.5, as 1 and the others as -1: samples are of these.

    kernel: "gaussian", or "binomial" for binary images. T: steps of the diffusion, each a pass of `sample`.
    architecture: "conv", the U-Net, or "linear", a `ResidualPerceptron`. channels, patch, attention: see `UNet`, unused
    by "linear". blocks: of the U-Net at each resolution, of the perceptron in all. hidden: width of the perceptron,
    unused by "conv". learning_rate: peak of Adam's rate, reached after `warmup` batches and decayed to zero by a half
    cosine. ema_decay: of the weights that sample.
    optimizer: "adam", or "muon" for the hidden weights, at ten times the rate, see `Muon`.
    """

    family = "diffusion"

    def __init__(
        self,
        data: DataSpec,
        *,
        kernel: Literal["gaussian", "binomial"] = "gaussian",
        T: Annotated[int, Ge(2)] = 1000,
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
        if kernel == "binomial" and data.image_shape[1:] == (1, 1):
            raise ValueError("kernel=binomial: is for images, and the data are points; choose gaussian")
        self.kernel: Kernel = KERNELS[kernel](T)
        self.network = time_network(
            architecture, data.image_shape, channels=channels, blocks=blocks, patch=patch, attention=attention,
            hidden=hidden, outputs=self.kernel.outputs * data.image_shape[0],
        )  # fmt: skip
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.optimizer_name = optimizer

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def passes(self) -> int:  # type: ignore[override]  # `sample` has no settings
        return self.kernel.T

    def random(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise of the kernel's kind for n images; without a generator, this rank's share."""
        return random_numbers(self.kernel.draw, (n, *self.image_shape), generator, self.device)

    def divergence(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The bound's term of the step from t at the x_t that `noise` makes of x_0, in nats: N values."""
        x_t = self.kernel.diffuse(x_0, t, noise)
        return self.kernel.divergence(x_0, x_t, t, self.network(x_t, t))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        t = own_share(lambda m: spread_times(self.kernel.T, m, x.device), len(x))
        noise = self.random(len(x))
        # Eq. 14: a sum over T steps, of which each image has one; its entropies and cross entropies of x_T are zero
        loss = bits_per_dim(self.kernel.T * self.divergence(self.kernel.states(x), t, noise).mean(), x[0].numel())
        name = "bits_per_dim" if self.kernel.levels == 256 else "binary_bits_per_dim"
        self.log_losses(**{"loss": loss, name: loss})
        return loss

    @sampling
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        ((_, x_0),) = deque(self.reverse_path(n, generator), maxlen=1)
        return x_0

    def reverse_path(self, n: int, generator: torch.Generator) -> Iterator[tuple[int, Tensor]]:
        """Yield (t, x_t) from t = T to t = 0."""
        times = torch.full((n,), self.kernel.T, device=self.device)
        x = self.kernel.diffuse(torch.zeros(n, *self.image_shape, device=self.device), times, self.random(n, generator))
        network: Pass = captured(self.network, x, times, passes=self.passes())
        yield self.kernel.T, x
        for t in range(self.kernel.T, 0, -1):
            times = torch.full((n,), t, device=self.device)
            x = self.kernel.reverse(x, times, network(x, times), self.random(n, generator))
            yield t - 1, x

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """The variational bound of all T steps, without bias from `TIMES` of its terms.

        With the binomial kernel it bounds the likelihood of the binary images that `Kernel.states` makes of x.
        """
        x_0, strata = self.kernel.states(x), min(TIMES, self.kernel.T - 1)
        nats = {"L_1:T-1": torch.zeros(len(x), device=x.device)}
        for first, end in itertools.pairwise(borders(self.kernel.T, strata)):
            t = first + torch.randint(end - first, (len(x),), generator=generator, device=generator.device)
            nats["L_1:T-1"] += (end - first) * self.divergence(x_0, t.to(x.device), self.random(len(x), generator))
        one = torch.ones(len(x), dtype=torch.long, device=x.device)
        nats["L_0"] = self.divergence(x_0, one, self.random(len(x), generator))
        terms = {name: bits_per_dim(term, x[0].numel()) for name, term in nats.items()}
        return [Bound("variational bound", torch.stack(list(terms.values())).sum(0), terms, self.kernel.levels)]

    @inference
    def forward_chain(self, x: Tensor, times: Sequence[int], generator: torch.Generator) -> Tensor:
        """x_t for each t of `times` (0 ... T) with one noise for all: len(times) x N x C x H x W."""
        x_0, noise = self.kernel.states(x), self.random(len(x), generator)
        return torch.stack([self.kernel.diffuse(x_0, torch.full((len(x),), t, device=x.device), noise) for t in times])

    def trajectory(self, n: int, generator: torch.Generator, steps: int) -> Iterator[tuple[int, Tensor]]:
        """(t, x_t) at `steps` + 1 of the times from T to 0 of what `sample` draws with such a generator, unclipped."""
        visited = set(even(self.kernel.T, steps))
        path = self.reverse_path(n, generator)
        # each step by itself, since the caller's code runs between them, and the caller may stop early
        advance = inference(lambda _: next(path, None))
        return (frame for frame in iter(lambda: advance(self), None) if frame[0] in visited)
