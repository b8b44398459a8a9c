"""How fast are FID, precision, recall and coverage of 10,000 images against 10,000, beside torch-fidelity and prdc?

The extractor is ours on both sides, under torch-fidelity's own loop on theirs. torch-fidelity has no coverage, prdc no
FID and no extractor, and torch-fidelity does not hand its features out: who wants all four figures extracts twice. Both
ways are answered: from images, and from features that are there already. Ours has the figures' 95% intervals besides.
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
    """n real images, and n held-out ones moved by three pixels, as samples that are neither right nor hopeless."""
    data = DATAMODULES["mnist"]()
    data.setup()
    return data.train_images[:n], data.test_images[:n].roll(1, 3).contiguous()


def feature_sets(generated: Tensor, reference: Tensor) -> FeatureSets:
    """Features as metrics compare them, under a protocol that nobody will read."""
    n = len(generated)
    protocol = Protocol(
        data="mnist", extractor="mnist-cnn", extractor_digest="0", reference_digest="0", samples=n, seed=0, chunk=250,
    )  # fmt: skip
    return FeatureSets(generated, reference, Moments.from_features(reference), protocol, groups(n, 0))


def ours(generated: Tensor, reference: Tensor) -> dict[str, float]:
    """The four figures of features."""
    sets = feature_sets(generated, reference)
    estimates = {name: METRICS[name].compute(sets) for name in FIGURES}
    return {name: estimate.value for name, estimate in estimates.items() if estimate and estimate.interval}


def by_torch_fidelity(generated: Tensor, real: Tensor, extractor: Extractor) -> dict[str, float]:
    """FID, precision and recall of images."""
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=Images(generated), input2=Images(real), cuda=torch.cuda.is_available(), fid=True, prc=True,
        feature_extractor=extractor.name, verbose=False,
    )  # fmt: skip
    return {"fid": found["frechet_inception_distance"], "precision": found["precision"], "recall": found["recall"]}


def by_torch_fidelity_of_features(generated: Tensor, reference: Tensor) -> None:
    """FID, precision and recall of features, by the functions behind its command."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    fid_statistics_to_metric(*map(fid_features_to_statistics, (generated, reference)), verbose=False)
    prc_features_to_metric(generated, reference, verbose=False, save_cpu_ram=False, prc_neighborhood=3)


def by_pytorch_fid(generated: Tensor, reference: Tensor) -> float:
    """FID of features, by its way to the square root of a matrix."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    sides = [(x.double().mean(0).numpy(), np.cov(x.double().numpy(), rowvar=False)) for x in (generated, reference)]
    return float(calculate_frechet_distance(*sides[0], *sides[1]))


def by_prdc(generated: Tensor, reference: Tensor) -> dict[str, float]:
    """Precision, recall, density and coverage of features."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found: dict[str, Any] = compute_prdc(reference.numpy(), generated.numpy(), nearest_k=5)
    return {name: float(value) for name, value in found.items()}


def measure(tick: Tick, n: int = IMAGES, rounds: int = ROUNDS) -> list[Answer]:
    """From images, and from features."""
    real, generated = two_sets(n)
    extractor = load_extractor("mnist-cnn", device="cuda" if torch.cuda.is_available() else "cpu")
    y, x = extractor(generated), extractor(real)
    found: dict[str, dict[str, float]] = {}

    def whole_ours() -> None:
        found["ours"] = ours(extractor(generated), extractor(real))

    def whole_theirs() -> None:
        found["theirs"] = by_torch_fidelity(generated, real, extractor)
        found["theirs"]["coverage"] = by_prdc(extractor(generated), extractor(real))["coverage"]

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
    measured = interleave({side.__name__: timed(side) for side in work}, rounds, tick)
    shared = [whole - once for whole, once in zip(measured["whole_theirs"], measured["extraction"], strict=True)]
    once = sum(b / a for a, b in zip(measured["whole_ours"], shared, strict=True)) / len(shared)
    worst = max(abs(found["ours"][name] / found["theirs"][name] - 1) for name in FIGURES)
    apart = abs(found["ours"]["fid"] / by_pytorch_fid(y, x) - 1)
    equal = f"figures within {worst:.0e} of theirs, FID within {apart:.0e} of pytorch-fid's"
    what = f"FID, precision, recall, coverage of {n:,} against {n:,}"
    rival = "torch-fidelity, then prdc"
    note = f"{equal}; {once:.1f} if theirs shared one extraction"
    return [
        answer(measured, f"{what}, from images", rival, "a second", "whole_ours", "whole_theirs", TARGET, note),
        answer(measured, f"{what}, from features", rival, "a second", "features_ours", "features_theirs", TARGET),
        answer(measured, "the same from features", "prdc alone", "a second", "features_ours", "prdc", None),
    ]


def timed(work: Callable[[], None]) -> Callable[[], float]:
    """`work` as a function that returns its seconds."""

    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return seconds
