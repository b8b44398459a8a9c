"""From images to features, and from features to statistics that can be merged."""

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

    `module` maps uint8 N x C x H x W to a tuple whose first tensor is float32 N x dim, as torch-fidelity's do.
    """

    name: str
    digest: str  # sha256 of the weights that the features depend on, whichever file they came in
    dim: int
    channels: tuple[int, ...]  # channel counts that it takes
    chunk: int  # images a forward pass
    module: nn.Module

    def __call__(self, images: Tensor, progress: Progress | None = None) -> Tensor:
        """uint8 N x C x H x W, on any device -> float32 N x dim on the CPU, computed on the module's device.

        Raises EvaluationError for images of another type or channel count, and for features that are not finite.
        """
        check_images(images)
        check_channels(self.name, self.channels, images.shape[1])
        device = next(self.module.parameters()).device
        features = torch.empty(len(images), self.dim)
        with torch.inference_mode(), full_float32():
            for start in range(0, len(images), self.chunk):
                part = images[start : start + self.chunk]
                features[start : start + len(part)] = self.module(part.to(device))[0].cpu()
                if progress:
                    progress("features", start + len(part), len(images))
        if not features.isfinite().all():
            raise EvaluationError(f"extractor={self.name} gave features that are not finite; are its weights sound?")
        return features


def check_images(images: Tensor) -> None:
    """Raises EvaluationError unless `images` is a uint8 tensor N x C x H x W with at least one image."""
    if images.dtype != torch.uint8 or images.dim() != 4 or len(images) == 0:
        raise EvaluationError(
            f"images of type {images.dtype} and shape {tuple(images.shape)} are not uint8 N x C x H x W with N > 0."
        )


def check_channels(name: str, accepted: tuple[int, ...], channels: int) -> None:
    """Raises EvaluationError if the extractor `name` does not take images of that many channels."""
    if channels not in accepted:
        counts = " or ".join(map(str, accepted))
        raise EvaluationError(f"extractor={name} takes images of {counts} channel(s), but these have {channels}.")


@contextmanager
def full_float32() -> Iterator[None]:
    """Float32 as such: cuDNN's default and many trainers allow TF32 or bfloat16 products, which move every metric."""
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
        """float N x D -> their moments."""
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
