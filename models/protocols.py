"""Abilities of some families beside sampling. A model has an ability if it has its methods; nothing is declared.

All methods run in evaluation mode without gradients (`models.base.inference`). Images `x` are float32 in [-1, 1] at
8-bit levels, N x C x H x W; random numbers come from the generator that is passed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Bound:
    """An upper bound on -log2 p(x) / (C H W) of images, one value an image.

    `terms` add up to `bits` where the bound has parts that mean something by themselves. Bounds of images with other
    numbers of `levels` do not compare.
    """

    name: str  # "exact", "ELBO", ...
    bits: Tensor  # N
    terms: dict[str, Tensor] = field(default_factory=dict)  # N each
    levels: int = 256  # that a value of an image can have: 8 bits, or 2 where the images were made binary


@runtime_checkable
class SamplesGiven(Protocol):
    """A model that draws images of given labels, where `classes` is not 0; `sample` draws the labels itself."""

    classes: int

    def draw_labels(self, n: int, generator: torch.Generator) -> Tensor | None:
        """The labels, int64 n, that `sample` draws first from such a generator; None where `classes` is 0."""

    def sample_given(self, labels: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
        """Images of these labels (int64 N, 0 ... classes - 1): N x C x H x W as of `sample`, with its settings.

        Image k depends on label k and on the generator, and on no other label. Raises ValueError for other labels.
        """


@runtime_checkable
class SamplesCaptioned(Protocol):
    """A model that draws images of captions, where `captioned`; `sample` draws labels, and captions of them, itself."""

    captioned: bool

    def draw_captions(self, n: int, generator: torch.Generator) -> Tensor:
        """The captions that `sample` draws first from such a generator: tokens of `models.captions`, int64 n x 6 C."""

    def sample_captioned(self, captions: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
        """Images of captions, tokens int64 N x 6 C: N x C x H x W as of `sample`, with its settings.

        Image k depends on caption k and on the generator, and on no other caption.
        """


@runtime_checkable
class Reconstructs(Protocol):
    def reconstruct(self, x: Tensor) -> Tensor:
        """The images after compression and back: like x, in [-1, 1], without randomness."""


@runtime_checkable
class Encodes(Protocol):
    def encode(self, x: Tensor) -> Tensor:
        """The features that a downstream task would use: N x features, float32, without randomness."""


@runtime_checkable
class Decodes(Protocol):
    """A latent space that can be walked through: `decode` of `encode` is the reconstruction."""

    latent_dim: int

    def encode(self, x: Tensor) -> Tensor:
        """N x latent_dim."""

    def decode(self, z: Tensor) -> Tensor:
        """N x latent_dim -> images in [-1, 1]."""


@runtime_checkable
class BoundsLikelihood(Protocol):
    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        """Upper bounds on the same quantity, the tightest last."""


@runtime_checkable
class Denoises(Protocol):
    noise_levels: tuple[float, ...]  # rising; what they measure is the corruption's to say

    def corrupt(self, x: Tensor, level: float, generator: torch.Generator) -> Tensor:
        """x with noise of that level, in whatever range the noise leaves it."""

    def denoise(self, x: Tensor) -> Tensor:
        """The clean images expected behind noisy ones, in [-1, 1]."""


@runtime_checkable
class Diffuses(Protocol):
    def forward_chain(self, x: Tensor, times: Sequence[int], generator: torch.Generator) -> Tensor:
        """x_t for each of `times` along one noise draw: len(times) x N x C x H x W."""

    def trajectory(self, n: int, generator: torch.Generator, steps: int) -> Iterator[tuple[int, Tensor]]:
        """(t, x_t) along the ancestral sampler of `steps` steps, from t = T to t = 0."""


@runtime_checkable
class Snapshots(Protocol):
    """A model that keeps weights of an earlier time of its training; not an ability, the trainer serves it."""

    def snapshot_weights(self) -> list[Tensor]:
        """Return copies of the weights to be kept, while the model has its averaged ones."""

    def keep_snapshot(self, weights: list[Tensor]) -> None:
        """Keep these weights beside the final ones, in buffers."""


@runtime_checkable
class Quantises(Protocol):
    codebook_size: int

    def codes(self, x: Tensor) -> Tensor:
        """The index of the code at each place of the grid: int64, N x h x w."""
