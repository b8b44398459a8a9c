"""Extract features from images, and summarise features by moments that can be merged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor, nn

from bench.evaluation.errors import EvaluationError

Progress = Callable[[str, int, int], None]  # (stage, done, total), called as the work goes on

ROUNDING_BACKENDS = ("cuda.matmul", "cudnn.conv", "mkldnn.matmul", "mkldnn.conv")  # in torch.backends


@dataclass(frozen=True, eq=False)
class Extractor:
    """A frozen network whose features images are compared in.

    `module` maps N x C x H x W of `dtype` to a tuple, as torch-fidelity's do: features, float32 N x dim, and where it
    has `classes` their logits, float32 N x classes, or N x (C * classes) where it judges each channel by itself.
    """

    name: str
    digest: str  # sha256 of the weights that the features depend on, whichever file they came in
    dim: int
    channels: tuple[int, ...]  # channel counts that it takes
    chunk: int  # images a forward pass
    module: nn.Module
    taught_by: str | None = None  # the data set that the logits' classes are of; None: no logits, or ImageNet's classes
    classes: int = 0  # of the logits, a channel where each channel is judged by itself; 0: no logits
    by_channel: bool = False  # whether each channel is classified by itself
    accuracy: float | None = None  # share of held-out labels that the logits get right, of channels if `by_channel`
    dtype: torch.dtype = torch.uint8  # of the images that it takes

    def __call__(self, images: Tensor, progress: Progress | None = None) -> Tensor:
        """Return the features of `outputs`."""
        return self.outputs(images, progress)[0]

    def outputs(self, images: Tensor, progress: Progress | None = None) -> tuple[Tensor, Tensor | None]:
        """N x C x H x W of `dtype`, on any device -> features and logits, both of one pass, float32 on the CPU.

        Computed on the module's device. Features are N x dim, logits as the module gives them, or None without
        `classes`. Raises EvaluationError for images of another type or channel count or with values that are not
        finite, and for features or logits that are not finite.
        """
        check_images(images, self.dtype)
        check_channels(self.name, self.channels, images.shape[1])
        parameter = next(self.module.parameters(), None)
        device = images.device if parameter is None else parameter.device
        wholes: list[Tensor] = []
        with torch.no_grad(), full_float32():  # no_grad: tensors of inference_mode could not be changed in place
            for start in range(0, len(images), self.chunk):
                parts = self.module(images[start : start + self.chunk].to(device))
                done = start + len(parts[0])
                wholes = wholes or [torch.empty(len(images), part.shape[1]) for part in parts]
                for whole, part in zip(wholes, parts, strict=True):
                    whole[start:done] = part.cpu()
                if progress:
                    progress("features", done, len(images))
        if not all(whole.isfinite().all() for whole in wholes):
            raise EvaluationError(
                f"extractor={self.name} returned features that are NaN or infinite; check its weights.",
                key="extractor",
                value=self.name,
            )
        return wholes[0], wholes[1] if self.classes else None


def check_images(images: Tensor, dtype: torch.dtype = torch.uint8) -> None:
    """Raise EvaluationError unless `images` is N x C x H x W of `dtype`, at least one image, and all finite."""
    if images.dtype != dtype or images.dim() != 4 or len(images) == 0:
        actual, expected = f"{images.dtype} and shape {tuple(images.shape)}", str(dtype).removeprefix("torch.")
        raise EvaluationError(f"images are of type {actual}, but must be {expected} N x C x H x W with N > 0.")
    if dtype.is_floating_point and (bad := int((~images.isfinite()).flatten(1).any(1).sum())):
        raise EvaluationError(f"{bad} of {len(images)} images hold NaN or infinity.")


def check_channels(name: str, accepted: tuple[int, ...], channels: int) -> None:
    """Raise EvaluationError if the extractor `name` does not take images of that many channels."""
    if channels not in accepted:
        counts = " or ".join(map(str, accepted))
        message = f"extractor={name} takes images of {counts} channel(s), but these have {channels}."
        raise EvaluationError(message, key="extractor", value=name)


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute in full float32: cuDNN's default and many trainers allow TF32 or bfloat16, which change every metric."""
    backends = [attrgetter(name)(torch.backends) for name in ROUNDING_BACKENDS]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of features, in float64, merged by `+` from parts in any order.

    It keeps deviations from the mean rather than raw second moments, so features far from zero lose no digits
    (Chan, Golub & LeVeque 1983).
    """

    count: int
    mean: Tensor  # D
    scatter: Tensor  # D x D, sum of (x - mean)(x - mean)^T

    @classmethod
    def from_features(cls, features: Tensor) -> "Moments":
        """Return the moments of float N x D."""
        x = features.to(torch.float64)
        mean = x.mean(0)
        return cls(len(x), mean, (x - mean).T @ (x - mean))

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        delta = other.mean - self.mean
        # Chan et al.: S = S_a + S_b + n_a n_b / n (mean_b - mean_a)(mean_b - mean_a)^T
        scatter = self.scatter + other.scatter + self.count * other.count / count * torch.outer(delta, delta)
        return Moments(count, self.mean + delta * (other.count / count), scatter)

    @property
    def covariance(self) -> Tensor:
        """D x D, unbiased (divided by count - 1), as numpy.cov."""
        return self.scatter / (self.count - 1)
