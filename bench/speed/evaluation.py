"""Compare the speed of FID, precision, recall and coverage, 10,000 images against 10,000, with torch-fidelity and prdc.

The extractor is ours on both sides, under torch-fidelity's own loop on theirs. torch-fidelity has no coverage, prdc no
FID and no extractor, and torch-fidelity does not return its features: all four figures need two extractions. Both
cases are measured: from images, and from existing features. Ours computes the figures' 95% intervals as well.
"""

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol
from bench.speed.answers import Answer, Tick, answer, interleave
from datamodules import DATAMODULES

IMAGES = 10_000
ROUNDS = 3
TARGET = 3.0
FIGURES = ("fid", "precision", "recall", "coverage")


class Images(Dataset[Tensor]):
    """uint8 images as torch-fidelity takes them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def two_sets(n: int) -> tuple[Tensor, Tensor]:
    """Return n real images, and n held-out ones shifted by three pixels as samples of medium quality."""
    data = DATAMODULES["mnist"]()
    data.setup()
    return data.train_images[:n], data.test_images[:n].roll(1, 3).contiguous()


def feature_sets(generated: Tensor, reference: Tensor) -> FeatureSets:
    """Return the features as metrics compare them, under a placeholder protocol."""
    n = len(generated)
    protocol = Protocol(
        data="mnist", extractor="mnist-cnn", extractor_digest="0", reference_digest="0", samples=n, seed=0, chunk=250,
    )  # fmt: skip
    return FeatureSets(generated, reference, Moments.from_features(reference), protocol, groups(n, 0))


def ours(generated: Tensor, reference: Tensor) -> dict[str, float]:
    """Compute the four figures of features."""
    sets = feature_sets(generated, reference)
    estimates = {name: METRICS[name].compute(sets) for name in FIGURES}
    return {name: estimate.value for name, estimate in estimates.items() if estimate and estimate.interval}


def by_torch_fidelity(generated: Tensor, real: Tensor, extractor: Extractor) -> dict[str, float]:
    """Compute FID, precision and recall of images with torch-fidelity."""
    from torch_fidelity import calculate_metrics

    figures = calculate_metrics(
        input1=Images(generated), input2=Images(real), cuda=torch.cuda.is_available(), fid=True, prc=True,
        feature_extractor=extractor.name, verbose=False,
    )  # fmt: skip
    return {
        "fid": figures["frechet_inception_distance"],
        "precision": figures["precision"],
        "recall": figures["recall"],
    }


def by_torch_fidelity_of_features(generated: Tensor, reference: Tensor) -> None:
    """Compute FID, precision and recall of features, with the functions behind torch-fidelity's command."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    fid_statistics_to_metric(*map(fid_features_to_statistics, (generated, reference)), verbose=False)
    prc_features_to_metric(generated, reference, verbose=False, save_cpu_ram=False, prc_neighborhood=3)


def by_pytorch_fid(generated: Tensor, reference: Tensor) -> float:
    """Compute FID of features with pytorch-fid's square root of a matrix."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    sides = [(x.double().mean(0).numpy(), np.cov(x.double().numpy(), rowvar=False)) for x in (generated, reference)]
    return float(calculate_frechet_distance(*sides[0], *sides[1]))


def by_prdc(generated: Tensor, reference: Tensor) -> dict[str, float]:
    """Compute precision, recall, density and coverage of features with prdc."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        figures: dict[str, Any] = compute_prdc(reference.numpy(), generated.numpy(), nearest_k=5)
    return {name: float(value) for name, value in figures.items()}


def measure(tick: Tick, n: int = IMAGES, rounds: int = ROUNDS) -> list[Answer]:
    """Measure from images, and from features."""
    real, generated = two_sets(n)
    extractor = load_extractor("mnist-cnn", device="cuda" if torch.cuda.is_available() else "cpu")
    y, x = extractor(generated), extractor(real)
    figures: dict[str, dict[str, float]] = {}

    def whole_ours() -> None:
        figures["ours"] = ours(extractor(generated), extractor(real))

    def whole_theirs() -> None:
        figures["theirs"] = by_torch_fidelity(generated, real, extractor)
        figures["theirs"]["coverage"] = by_prdc(extractor(generated), extractor(real))["coverage"]

    def features_ours() -> None:
        ours(y, x)

    def features_theirs() -> None:
        by_torch_fidelity_of_features(y, x)
        by_prdc(y, x)

    def extraction() -> None:
        extractor(generated)
        extractor(real)

    def prdc() -> None:
        by_prdc(y, x)

    work = (whole_ours, whole_theirs, features_ours, features_theirs, extraction, prdc)
    measurements = interleave({side.__name__: as_timer(side) for side in work}, rounds, tick)
    shared = [
        whole - once for whole, once in zip(measurements["whole_theirs"], measurements["extraction"], strict=True)
    ]
    once = sum(b / a for a, b in zip(measurements["whole_ours"], shared, strict=True)) / len(shared)
    worst = max(abs(figures["ours"][name] / figures["theirs"][name] - 1) for name in FIGURES)
    deviation = abs(figures["ours"]["fid"] / by_pytorch_fid(y, x) - 1)
    equal = f"figures within {worst:.0e} of theirs, FID within {deviation:.0e} of pytorch-fid's"
    what = f"FID, precision, recall, coverage of {n:,} against {n:,}"
    rival = "torch-fidelity, then prdc"
    note = f"{equal}; {once:.1f} if theirs shared one extraction"
    return [
        answer(measurements, f"{what}, from images", rival, "a second", "whole_ours", "whole_theirs", TARGET, note),
        answer(measurements, f"{what}, from features", rival, "a second", "features_ours", "features_theirs", TARGET),
        answer(measurements, "the same from features", "prdc alone", "a second", "features_ours", "prdc", None),
    ]


def as_timer(work: Callable[[], None]) -> Callable[[], float]:
    """Return `work` as a function that returns its seconds."""

    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return seconds
