"""Two-time flow map: one network that samples in one, two, four or many steps."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Lt, MinLen
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, Fraction, GenerativeModel, Optimizer, noise, sampling
from models.flows.maps import jump, jump_and_renoise, two_part_target
from models.flows.path import Times, draw_times, interpolate
from models.flows.solvers import evaluated, solve
from models.networks.autoencoder import Architecture
from models.networks.captured import captured
from models.networks.time_network import time_network
from models.ranks import own_share

Objective = Literal["split-meanflow", "shortcut", "soflow", "consistency"]
FROM_DATA = ("soflow", "consistency")  # objectives whose first part is the data's velocity, not the network's
DATA_RATIO = 0.1  # of these, where none is set
TIME_SCALE = 16.0  # radians that the network's fastest sine turns by from t = 0 to 1, so that F is smooth in the times
FROM_NOISE = 0.25  # share of the map's rows at t = 1 and s = 0 or 1/2, as samples of one and of two steps need them
BALANCE = 0.01  # squared error from which on an error of the map counts by its size, not its square


class FlowMap(GenerativeModel):
    """F(z_t, t, s), the mean velocity of flow matching's solutions from t down to s, so that z_s = z_t - (t - s) F.

    Trained without derivatives of the network: F must equal lambda w + (1 - lambda) F(z_l, l, s), where the solution
    goes by w from t to l = t - lambda (t - s). The objective says what w and lambda are:

    - "split-meanflow": w = F(z_t, t, l), lambda uniform (Guo et al. 2025, SplitMeanFlow, arXiv:2507.16884);
    - "shortcut": the same, lambda = 1/2 (Frans et al. 2024, One Step Diffusion via Shortcut Models, arXiv:2410.12557);
    - "soflow": w = eps - x of the data, lambda = `ratio` (Luo et al. 2025, SoFlow, arXiv:2512.15657);
    - "consistency": the same with s = 0 only (Song et al. 2023, Consistency Models, arXiv:2303.01469).

    Targets carry no gradient. The exact flow is a solution of the first two at every lambda, of the last two as lambda
    goes to 0. A target knows of the data what the network knew at l, so that the knowledge spreads from s to t by the
    share lambda of the way with each generation of targets: a small one needs a long training.

    Departures from the papers: straight paths with noise at t = 1 in all; flow matching alone at first, since a good
    velocity is the condition of a good map (Kim et al. 2025, arXiv:2511.19065); flow matching beside the map in all;
    targets from the network that learns, not from its average; shortcuts between any times, not on a dyadic grid.

    ratio: lambda of "soflow" and "consistency" (None: 0.1). flow_first: share of the training that is flow matching
    alone. flow_share: share of flow matching in each later batch. times: of flow matching, see `draw_times`; the map's
    are uniform. architecture: "conv", a U-Net, or "linear", a `ResidualPerceptron` (fully connected). channels, patch,
    attention: see `UNet`, unused by "linear". blocks: of the U-Net at each resolution, of the perceptron in all.
    hidden: width of the perceptron, unused by "conv". learning_rate: peak of Adam's rate, reached after `warmup`
    batches and decayed to zero by a half cosine. ema_decay: of the weights that sample.
    optimizer: "adam", or "muon" for the hidden weights, at ten times the rate, see `Muon`.
    """

    family = "flow"

    def __init__(
        self,
        data: DataSpec,
        *,
        objective: Objective = "split-meanflow",
        ratio: Fraction | None = None,
        flow_first: Annotated[float, Ge(0), Lt(1)] = 0.6,
        flow_share: Fraction = 0.75,
        times: Times = "logit-normal",
        architecture: Architecture = "conv",
        channels: Annotated[list[PositiveInt], MinLen(1)] = [32, 64],  # noqa: B006, never changed
        blocks: PositiveInt = 1,
        patch: PositiveInt = 2,
        attention: bool = False,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
        warmup: NonNegativeInt = 200,
        ema_decay: Fraction = 0.999,
        optimizer: Optimizer = "adam",
    ) -> None:
        super().__init__(data)
        if ratio is not None and objective not in FROM_DATA:
            raise ValueError(
                f"ratio={ratio:g}: objective={objective} draws or sets it; choose from {', '.join(FROM_DATA)}"
            )
        self.network = time_network(
            architecture, data.image_shape,
            channels=channels, blocks=blocks, patch=patch, attention=attention, hidden=hidden, times=2,
        )  # fmt: skip
        self.objective = objective
        self.ratio = 0.5 if objective == "shortcut" else ratio or DATA_RATIO
        self.flow_first = flow_first
        self.flow_share = flow_share
        self.times = times
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.optimizer_name = optimizer

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def mean_velocity(self, z: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """F(z, t, s) at times from 0 to 1, N each, s <= t."""
        return self.network(z, inputs(t, s))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        rows = own_share(lambda m: self.draw_rows(m, self.share_of_training(batch_idx), x), len(x))
        eps = own_share(lambda m: torch.randn(m, *self.image_shape, device=x.device), len(x))
        loss = self.loss(x, eps, rows)
        self.log_losses(loss=loss)
        return loss

    def loss(self, x: Tensor, eps: Tensor, rows: Tensor) -> Tensor:
        """The mean over images of flow matching's squared error, and of the map's, which is damped where it is large.

        rows: of `draw_rows`. The damping is that of Geng et al. 2025, MeanFlow (arXiv:2505.13447), with p = 1/2.
        """
        t, middle, s, mapped = rows.unbind(1)
        z, velocity = interpolate(x, eps, t), eps - x
        predicted = self.mean_velocity(z, t, s)  # before the targets: autocast keeps casts made without gradients
        target, index = velocity.clone(), mapped.nonzero().flatten()
        if len(index):
            target[index] = self.target(*(values[index] for values in (z, velocity, t, middle, s)))
        error = (predicted - target).square().flatten(1).mean(1)
        damped = error / (error.detach() + BALANCE).sqrt()
        return torch.where(mapped > 0, damped, error).mean()

    @torch.no_grad()
    def target(self, z: Tensor, velocity: Tensor, t: Tensor, middle: Tensor, s: Tensor) -> Tensor:
        """What F(z, t, s) shall be; see the class and `two_part_target`."""
        first = velocity if self.objective in FROM_DATA else self.mean_velocity(z, t, middle)
        return two_part_target(self.mean_velocity, z, first, t, middle, s)

    def draw_rows(self, n: int, done: float, like: Tensor) -> Tensor:
        """Draw t, the middle time l, s, and whether the row learns the map, 1 or 0: n x 4.

        While less than `flow_first` of the training is done, all rows regress the velocity at any s, so that the map
        begins as one that does not depend on it.
        """
        t, u = draw_times(self.times, n, like.device), torch.rand(n, 2, device=like.device)
        none = torch.zeros_like(t)
        if done < self.flow_first:
            return torch.stack([t, t, t * u[:, 0], none], 1)
        flow = torch.stack([t, t, t, none], 1)
        start, end = draw_pairs(n, like.device)
        if self.objective == "consistency":
            end = none
        ratio = u[:, 1] if self.objective == "split-meanflow" else none + self.ratio
        mapped = torch.stack([start, start - ratio * (start - end), end, none + 1], 1)
        # spread over the batch, so that ranks have nearly equally many
        share = torch.arange(n + 1, device=like.device) * (1 - self.flow_share)
        return torch.where((share[1:].floor() > share[:-1].floor())[:, None], mapped, flow)

    def passes(self, *, method: str = "map", steps: int = 1) -> int:  # type: ignore[override]  # those of `sample`
        return len(evaluated("heun", steps)) if method == "heun" else steps

    def check_sampler(self, *, method: str = "map", steps: int = 1) -> None:  # type: ignore[override]  # likewise
        if self.objective == "consistency" and method == "map" and steps > 1:
            raise ValueError(
                f"steps={steps}: objective=consistency learns jumps to the data only; choose method=consistency"
            )

    @sampling
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        method: Literal["map", "consistency", "euler", "heun"] = "map",
        steps: PositiveInt = 1,
    ) -> Tensor:
        """Draw images by `steps` even steps from t = 1 to t = 0.

        method: "map" jumps along the flow, "consistency" jumps to the data and adds noise anew before the next jump;
        "euler" and "heun" solve the differential equation of the velocity F(z, t, t), as flow matching does.
        """
        z = noise((n, *self.image_shape), generator, self.device)
        passes = self.passes(method=method, steps=steps)
        network = captured(self.network, z, z.new_zeros(n, 2), passes=passes)
        if method == "map":
            return jump(lambda z, t, s: network(z, inputs(t, s)), z, steps)
        if method == "consistency":
            return jump_and_renoise(lambda z, t, s: network(z, inputs(t, s)), z, steps, generator)
        return solve(method, lambda z, t: network(z, inputs(t, t)), z, steps)


def inputs(t: Tensor, s: Tensor) -> Tensor:
    """What the network sees of the times: N x 2."""
    return TIME_SCALE * torch.stack([t, t - s], 1)


def draw_pairs(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw t > s: uniform, but for a share of `FROM_NOISE` at t = 1 and s = 0 or 1/2."""
    u = torch.rand(n, 3, device=device)
    t, s = u[:, :2].amax(1), u[:, :2].amin(1)
    s = s.minimum(t - 1e-4)  # two equal numbers are no interval
    from_noise = u[:, 2] < FROM_NOISE
    half = torch.where(u[:, 2] < FROM_NOISE / 2, 0.0, 0.5)
    return torch.where(from_noise, 1.0, t), torch.where(from_noise, half, s)
