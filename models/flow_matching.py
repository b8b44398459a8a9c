"""Flow matching: a rectified flow."""

from typing import Annotated, Any

import torch
from annotated_types import MinLen
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models.base import DataSpec, Fraction, GenerativeModel, Optimizer, Share, inference, noise, sampling
from models.conditional import ClusterCount, Condition, check_labels, class_count, classifier_free, clusters_of, dropped
from models.flows.likelihood import log_likelihood
from models.flows.path import Times, Velocity, draw_times, interpolate
from models.flows.sampler_settings import FlowSettings
from models.flows.solvers import Method, solve
from models.losses import bits_per_dim
from models.networks.autoencoder import Architecture
from models.networks.captured import captured, replayed
from models.networks.time_network import time_network
from models.protocols import Bound
from models.ranks import own_share

TIME_SCALE = 1000.0  # the network's sines and cosines are made for times from 0 to 1000
LEVEL = 2 / 255  # distance of two 8-bit levels in [-1, 1]
LIKELIHOOD_STEPS = 12  # of four evaluations each; of digits, 8, 16 and 32 steps agreed within 0.02 bits/dim


class FlowMatching(GenerativeModel):
    """Lipman et al. 2022, Flow Matching for Generative Modeling (arXiv:2210.02747), on the straight paths of Liu et al.
    2022, Rectified Flow (arXiv:2209.03003).

    A network predicts the mean velocity eps - x of the paths z_t = (1 - t) x + t eps through a point; samples follow it
    from noise at t = 1 to the data at t = 0. Departure from both papers: the direction of time, which is diffusion's.

    times: at which the network is trained, "logit-normal" or "uniform", see `draw_times`. architecture: "conv", a
    U-Net, or "linear", a `ResidualPerceptron` (fully connected). channels, patch, attention: see `UNet`, unused by
    "linear". blocks: of the U-Net at each resolution, of the perceptron in all. hidden: width of the perceptron, unused
    by "conv". learning_rate: peak of Adam's rate, reached after `warmup` batches and decayed to zero by a half cosine.
    ema_decay: of the weights that sample. optimizer: "adam", or "muon" for the hidden weights, at ten times the rate,
    see `Muon`. condition: "label" tells the network the labels, but for a share `label_dropout` of the training images
    (Ho and Salimans 2022, arXiv:2207.12598), "cluster" the numbers of so many `clusters` likewise, see `Clusters`.
    """

    family = "flow"

    def __init__(
        self,
        data: DataSpec,
        *,
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
        condition: Condition = "none",
        clusters: ClusterCount = 200,
        label_dropout: Share = 0.1,
    ) -> None:
        super().__init__(data)
        self.classes, self.clusters = class_count(data, condition), clusters_of(data, condition, clusters)
        self.label_dropout = label_dropout
        self.network = time_network(
            architecture, data.image_shape,
            channels=channels, blocks=blocks, patch=patch, attention=attention, hidden=hidden,
            classes=self.groups,
        )  # fmt: skip
        self.times = times
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.optimizer_name = optimizer

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def velocity(self, z: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        """The predicted E[eps - x | z_t = z] at the times t, N from 0 to 1; y: of labels N, if they are given."""
        return self.network(z, TIME_SCALE * t, *y)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        labels = [dropped(y, self.label_dropout, self.groups)] if self.groups else []
        t = own_share(lambda m: draw_times(self.times, m, x.device), len(x))
        eps = own_share(lambda m: torch.randn(m, *self.image_shape, device=x.device), len(x))
        # the objective of Liu et al. 2022, and Lipman et al. 2022, Eq. 23, without the smallest noise
        loss = (self.velocity(interpolate(x, eps, t), t, *labels) - (eps - x)).square().mean()
        self.log_losses(loss=loss)
        return loss

    def passes(self, **settings: Any) -> int:
        return FlowSettings(**settings).passes()

    def check_sampler(self, **settings: Any) -> None:
        w = FlowSettings(**settings).label_guidance
        if w is not None and not self.groups:
            raise ValueError(
                f"label_guidance={w:g}: the model was trained without labels; train with model.condition=label or "
                "cluster, or leave label_guidance out"
            )

    @sampling
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        method: Method = "euler",
        steps: PositiveInt = 20,
        label_guidance: NonNegativeFloat | None = None,
        guided_from: PositiveFloat | None = None,
        guided_to: PositiveFloat | None = None,
    ) -> Tensor:
        """Draw images by `steps` even steps from t = 1 to t = 0.

        method: "euler", or "heun", which evaluates the network twice in each step but the last. label_guidance: w
        against the prediction without labels, see `classifier_free` (0 where it is not given). guided_from, guided_to:
        noise levels sigma = t / (1 - t) between which it is used.
        """
        settings = FlowSettings(method, steps, label_guidance, guided_from, guided_to)
        return self.draw(n, self.draw_groups(n, generator), generator, settings)

    @sampling
    def sample_given(self, /, labels: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
        return self.draw(len(labels), check_labels(labels, self.classes), generator, FlowSettings(**settings))

    def draw(self, n: int, labels: Tensor | None, generator: torch.Generator, settings: FlowSettings) -> Tensor:
        """z_0 of given labels (None: of a model without), n x C x H x W."""
        z = noise((n, *self.image_shape), generator, self.device)
        return solve(settings.method, self.prediction(z, labels, settings), z, settings.steps)

    def prediction(self, z: Tensor, labels: Tensor | None, settings: FlowSettings) -> Velocity:
        """The velocity that a sampler follows for inputs like z, with its guidance; the network captured if it pays."""
        passes, w = settings.passes(), settings.label_guidance
        if labels is not None and w:
            twice = replayed(self.network, passes)
            return classifier_free(lambda z, t, y: twice(z, TIME_SCALE * t, y), labels, self.groups, w, settings.guided)
        told = [] if labels is None else [labels]
        network = captured(self.network, z, z.new_zeros(len(z)), *told, passes=passes)
        return lambda z, t: network(z, TIME_SCALE * t, *told)

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """The density of the flow's exact samples at images with uniform noise of a level's width, by Jensen a bound.

        One draw of that noise and one probe an image: unbiased but for the solver's error.
        """
        u = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
        signs = torch.randint(2, x.shape, generator=generator, device=generator.device).to(x) * 2 - 1
        nats = -log_likelihood(self.velocity, x + LEVEL * (u - 0.5), signs, LIKELIHOOD_STEPS)
        # log of the probability of a level: its density times its width
        dimensions = x[0].numel()
        return [Bound("flow, dequantised", bits_per_dim(nats, dimensions) - torch.tensor(LEVEL).log2().item())]
