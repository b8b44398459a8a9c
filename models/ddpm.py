"""Denoising diffusion probabilistic model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import torch
import torch.nn.functional as F
from annotated_types import Ge, MinLen
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from models import captions
from models.base import DataSpec, Fraction, GenerativeModel, Optimizer, Share, inference, noise, sampling
from models.conditional import ClusterCount, check_labels, class_count, classifier_free, clusters_of, dropped
from models.diffusion.bound import variational_bound
from models.diffusion.grids import even
from models.diffusion.guidance import autoguided, classifier_guided
from models.diffusion.process import Process, cosine_beta, linear_beta
from models.diffusion.sampler_settings import Grid, Method, SamplerSettings
from models.diffusion.samplers import Denoiser, ancestral_path
from models.diffusion.times import spread_times
from models.losses import bits_per_dim
from models.networks.autoencoder import Architecture
from models.networks.captured import captured, replayed
from models.networks.frozen import frozen_copy, set_weights, weights_of
from models.networks.text_encoder import TextEncoder
from models.networks.time_classifier import time_classifier
from models.networks.time_network import time_network
from models.protocols import Bound
from models.ranks import own_share
from models.strokes import strokes, thirds

TIMES = 20  # noise levels, besides the first, at which the bound is estimated for an image: each costs a pass


class DDPM(GenerativeModel):
    """Ho, Jain and Abbeel 2020, Denoising Diffusion Probabilistic Models (arXiv:2006.11239).

    T steps of variance beta_1 ... beta_T, the noise predicted by a U-Net, trained on L_simple, with averaged weights.
    The defaults are the paper's process and loss; two later changes to them are settings.

    schedule: "linear", from beta_1 to beta_T, or "cosine", Nichol and Dhariwal's, which has no use for these two.
    snr_gamma: the signal-to-noise ratio above which errors count less in the loss, see `weights` (None: L_simple).
    architecture: "conv", the paper's U-Net, or "linear", a `ResidualPerceptron` (fully connected). channels, patch,
    attention: see `UNet`, unused by "linear". blocks: of the U-Net at each resolution, of the perceptron in all.
    hidden: width of the perceptron, unused by "conv". learning_rate: peak of Adam's rate, reached after `warmup`
    batches and decayed to zero by a half cosine. ema_decay: of the weights that sample. snapshot: the share of the
    training after which the denoiser's averaged weights are kept beside the final ones, as the guide of samplers with
    `guidance` (None: no snapshot). optimizer: "adam", or "muon" for the hidden weights, at ten times the rate, see
    `Muon`. condition: "none"; "label", of which the denoiser is told, but for a share `label_dropout` of the training
    images (Ho and Salimans 2022, arXiv:2207.12598); "cluster", likewise the numbers of so many `clusters` in the
    labels' place, see `Clusters`; "text", likewise a caption of `models.captions` by an encoder that
    is trained along; or "classifier", of noisy images, that is trained beside the denoiser and leads it to a label
    (Dhariwal and Nichol 2021, arXiv:2105.05233).
    """

    family = "diffusion"

    def __init__(
        self,
        data: DataSpec,
        *,
        T: Annotated[int, Ge(2)] = 1000,
        schedule: Literal["linear", "cosine"] = "linear",
        beta_1: Fraction = 1e-4,
        beta_T: Fraction = 0.02,
        snr_gamma: PositiveFloat | None = None,
        architecture: Architecture = "conv",
        channels: Annotated[list[PositiveInt], MinLen(1)] = [32, 64],  # noqa: B006, never changed
        blocks: PositiveInt = 1,
        patch: PositiveInt = 2,
        attention: bool = False,
        hidden: PositiveInt = 256,
        learning_rate: PositiveFloat = 2e-3,
        warmup: NonNegativeInt = 200,
        ema_decay: Fraction = 0.999,
        snapshot: Fraction | None = None,
        optimizer: Optimizer = "adam",
        condition: Literal["none", "label", "cluster", "classifier", "text"] = "none",
        clusters: ClusterCount = 200,
        label_dropout: Share = 0.1,
    ) -> None:
        super().__init__(data)
        self.classes, self.clusters = class_count(data, condition), clusters_of(data, condition, clusters)
        self.condition = condition
        self.label_dropout = label_dropout
        self.process = Process(linear_beta(T, beta_1, beta_T) if schedule == "linear" else cosine_beta(T))
        self.denoiser = time_network(
            architecture, data.image_shape,
            channels=channels, blocks=blocks, patch=patch, attention=attention, hidden=hidden,
            classes=self.groups if condition in ("label", "cluster") else 0,
        )  # fmt: skip
        if condition == "classifier":
            self.classifier = time_classifier(
                architecture, data.image_shape, self.classes,
                channels=channels, blocks=blocks, patch=patch, hidden=hidden,
            )  # fmt: skip
        if condition == "text":
            captions.check_channels(data.image_shape[0], self.classes)
            self.text = TextEncoder(len(captions.VOCABULARY), cast(int, self.denoiser.embedding))
            self.held_out: Tensor
            self.register_buffer("held_out", captions.held_out_combinations(self.classes), persistent=False)
            self.captioned = True
        self.snr_gamma = snr_gamma
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.snapshot = snapshot
        self.optimizer_name = optimizer
        self.guide = None if snapshot is None else frozen_copy(self.denoiser)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        guide = () if self.guide is None else (self.guide,)
        return (self.denoiser, *guide, *([self.classifier] if self.condition == "classifier" else []))

    def snapshot_weights(self) -> list[Tensor]:
        return weights_of(self.denoiser)

    def keep_snapshot(self, weights: list[Tensor]) -> None:
        assert self.guide is not None
        set_weights(self.guide, weights)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_0, y = batch
        t = own_share(lambda m: self.spread_times(m, x_0.device), len(x_0))
        eps = own_share(lambda m: torch.randn(m, *self.image_shape, device=x_0.device), len(x_0))
        x_t = self.process.q_sample(x_0, t, eps)
        error = (self.denoiser(x_t, t, *self.training_condition(x_0, y)) - eps).square().flatten(1).mean(1)
        # Algorithm 1 / Eq. 14, L_simple
        loss = torch.mean(self.weights(t) * error)
        if self.condition != "classifier":
            self.log_losses(loss=loss)
            return loss
        cross_entropy = F.cross_entropy(self.classifier(x_t, t), y)
        self.log_losses(loss=loss, classifier=cross_entropy)
        return loss + cross_entropy  # of networks that share no weights

    def training_condition(self, x_0: Tensor, y: Tensor) -> list[Tensor]:
        """What the denoiser is told of images and their labels: nothing, N labels, or N x dim encoded captions."""
        if self.condition in ("label", "cluster"):
            return [dropped(y, self.label_dropout, self.groups)]
        return [self.text(self.training_captions(x_0, y))] if self.captioned else []

    def training_captions(self, x_0: Tensor, y: Tensor) -> Tensor:
        """Captions of images by their labels and measured strokes, tokens int64 N x 6 C.

        They are empty for a share `label_dropout` of the images and for all of a held-out combination of digits.
        """
        channels = self.image_shape[0]
        digits = captions.digits_of(y, channels)
        u = own_share(lambda m: torch.rand(m, captions.draws(channels), device=x_0.device), len(x_0))
        said = captions.described(digits, thirds(strokes(x_0), digits), u)
        tokens = captions.phrased(said, u, captions.orders(channels))
        empty = dropped(y, self.label_dropout, self.classes) == self.classes
        return tokens.masked_fill((empty | self.held_out[y])[:, None], captions.PAD)

    def weights(self, t: Tensor) -> Tensor:
        """What the squared error at each time of `t` (N) counts in the loss: N values in (0, 1].

        min(SNR, gamma) / SNR: what predicting x_0 with weights min(SNR, gamma) is in terms of the noise (Hang et al.
        2023, Efficient Diffusion Training via Min-SNR Weighting Strategy, arXiv:2303.09556). Errors at little noise,
        where the image stands already, otherwise take as much of the training as those that decide what it shows.
        """
        if self.snr_gamma is None:
            return torch.ones_like(t, dtype=torch.float32)
        return (self.snr_gamma / self.process.snr(t)).clamp(max=1)

    def spread_times(self, n: int, device: torch.device) -> Tensor:
        """n times of the loss, each uniform on 1 ... T."""
        return spread_times(self.process.T, n, device)

    def passes(self, **settings: Any) -> int:
        sampler = SamplerSettings(**settings)
        if self.condition != "classifier":
            return sampler.passes(self.process)
        # the classifier's, at every time, and the denoiser's
        times = replace(sampler, guidance=None, label_guidance=None, guided_from=None, guided_to=None)
        evaluations = times.passes(self.process)
        return evaluations + (sampler.passes(self.process) if sampler.guidance else evaluations)

    def check_sampler(self, **settings: Any) -> None:
        sampler = SamplerSettings(**settings)
        sampler.evaluated(self.process)
        if sampler.guidance is not None and self.guide is None:
            raise ValueError(
                f"guidance={sampler.guidance:g}: the weights have no snapshot to be guided by; train with "
                "model.snapshot=0.125, or leave guidance out"
            )
        if sampler.label_guidance is not None and not self.groups:
            raise ValueError(
                f"label_guidance={sampler.label_guidance:g}: the model was trained without labels; train with "
                "model.condition=label, cluster, text or classifier, or leave label_guidance out"
            )

    @sampling
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        method: Method = "ancestral",
        steps: PositiveInt | None = None,
        grid: Grid = "time",
        eta: NonNegativeFloat | None = None,
        sigma_max: PositiveFloat | None = None,
        sigma_min: PositiveFloat | None = None,
        guidance: PositiveFloat | None = None,
        label_guidance: NonNegativeFloat | None = None,
        guided_from: PositiveFloat | None = None,
        guided_to: PositiveFloat | None = None,
        function: str | None = None,
    ) -> Tensor:
        """Draw images by `steps` steps (None: all T) of a method on a grid of times.

        method: Ho et al.'s "ancestral" sampler, "ddim", "dpm-solver" for DPM-Solver++(2M), "unipc" for UniPC-2, or
        "heun", which evaluates the network twice a step, once in the first and in the last. grid: times even in "time",
        in "log-snr", or "karras"; the last two keep to noise levels from sigma_max (35) to sigma_min (0.03). eta: share
        of noise of ddim and dpm-solver, 0 where it is not given. guidance: weight of the final weights' prediction
        against the snapshot's, see `autoguided`.
        label_guidance: w against the prediction without labels, see `classifier_free` (0 where it is not given).
        guided_from, guided_to: noise levels sigma between which guidance is used. function: key of a user's own, which
        draws in the method's place, see `own_samplers`.
        """
        sampler = SamplerSettings(
            method, steps, grid, eta, sigma_max, sigma_min, guidance, label_guidance, guided_from, guided_to, function
        )
        return self.draw(n, self.draw_condition(n, generator), generator, sampler)

    @sampling
    def sample_given(self, /, labels: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
        check_labels(labels, self.classes)
        given = self.captions_of(labels, generator) if self.captioned else labels
        return self.draw(len(labels), given, generator, SamplerSettings(**settings))

    @sampling
    def sample_captioned(self, /, captions: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
        return self.draw(len(captions), captions, generator, SamplerSettings(**settings))

    def draw_captions(self, n: int, generator: torch.Generator) -> Tensor:
        labels = self.draw_labels(n, generator)
        assert labels is not None
        return self.captions_of(labels, generator)

    def captions_of(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Captions of labels N, with attributes as often as training has them, in all orders: tokens int64 N x 6 C."""
        channels = self.image_shape[0]
        shape, device = (len(labels), channels, 2), generator.device
        measured = torch.randint(3, shape, generator=generator, device=device).to(labels.device)
        u = torch.rand(len(labels), captions.draws(channels), generator=generator, device=device).to(labels.device)
        said = captions.described(captions.digits_of(labels, channels), measured, u)
        return captions.phrased(said, u, captions.all_orders(channels))

    def draw_condition(self, n: int, generator: torch.Generator) -> Tensor | None:
        """What `sample` draws first: labels or clusters N, captions N x 6 C, or None of a model without a condition."""
        return self.draw_captions(n, generator) if self.captioned else self.draw_groups(n, generator)

    def draw(self, n: int, given: Tensor | None, generator: torch.Generator, sampler: SamplerSettings) -> Tensor:
        """x_0 of given labels or captions (None: of a model without), n x C x H x W."""
        x_T = noise((n, *self.image_shape), generator, self.device)
        return sampler.draw(self.prediction(x_T, given, sampler), self.process, x_T, generator)

    def prediction(self, x_T: Tensor, given: Tensor | None, sampler: SamplerSettings) -> Denoiser:
        """The denoiser that a sampler follows for inputs like x_T, with its guidance."""
        passes, guided, w = sampler.passes(self.process), sampler.guided(self.process), sampler.label_guidance or 0.0
        t_T = torch.full((len(x_T),), self.process.T, device=self.device)
        told = (
            [] if given is None or self.condition == "classifier" else [self.text(given) if self.captioned else given]
        )
        if told and w:
            null = 0 if self.captioned else self.groups
            return classifier_free(replayed(self.denoiser, passes), told[0], null, w, guided)

        def alone(network: nn.Module) -> Denoiser:
            run = captured(network, x_T, t_T, *told, passes=passes)
            return lambda x, t: run(x, t, *told)

        denoiser = alone(self.denoiser)
        if self.guide is not None and sampler.guidance is not None:
            denoiser = autoguided(denoiser, alone(self.guide), sampler.guidance, guided)
        if given is not None and self.condition == "classifier":
            return classifier_guided(denoiser, self.classifier, self.process, given, w, guided)
        return denoiser

    @inference
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """The variational bound of the ancestral sampler of all T steps, without bias from `TIMES` of its terms."""
        nats = variational_bound(self.denoiser, self.process, x, min(TIMES, self.process.T - 1), generator)
        terms = {name: bits_per_dim(term, x[0].numel()) for name, term in nats.items()}
        return [Bound("variational bound", torch.stack(list(terms.values())).sum(0), terms)]

    @inference
    def forward_chain(self, x: Tensor, times: Sequence[int], generator: torch.Generator) -> Tensor:
        """x_t of Eq. 4 for each t of `times` (0 ... T) with one noise for all: len(times) x N x C x H x W."""
        eps = noise(tuple(x.shape), generator, x.device)
        return torch.stack([self.process.q_sample(x, torch.full((len(x),), t, device=x.device), eps) for t in times])

    def trajectory(self, n: int, generator: torch.Generator, steps: int) -> Iterator[tuple[int, Tensor]]:
        """(t, x_t) from t = T to t = 0 of what `sample` draws by these steps with such a generator, unclipped."""
        visited, given = even(self.process.T, steps), self.draw_condition(n, generator)
        x_T = noise((n, *self.image_shape), generator, self.device)
        denoiser = self.prediction(x_T, given, SamplerSettings(steps=steps))
        path = ancestral_path(denoiser, self.process, x_T, visited, generator)
        # each step by itself, since the caller's code runs between them, and the caller may stop early
        advance = inference(lambda _: next(path, None))
        return iter(lambda: advance(self), None)
