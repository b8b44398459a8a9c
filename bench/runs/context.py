"""The context of a run: its configuration, data and model, and the means to evaluate its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.config.components import configured, key_of, own_metrics, running_code
from bench.config.devices import sampling_device
from bench.config.schema import Config, conditional
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.judge import Judge, channel_judge, trained_judge
from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.reference import Reference, held_out, reference
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.metrics.copies import PER_SAMPLE, training_pixels
from bench.evaluation.metrics.feature_sets import Modes
from bench.evaluation.metrics.modes import by_centres, by_classifier
from bench.evaluation.metrics.own import OwnMetric, own_metric
from bench.evaluation.protocol import RANDOM_NETWORK, Protocol
from bench.evaluation.scoring import ClassReference, ReferenceSet, SecondReference
from bench.results.identity import run_id
from bench.results.layout import ResultsFolder
from bench.runs.build import data_name
from bench.runs.own_extractor import is_own, load_own_extractor
from bench.runtime.console import Bar, console
from bench.tracking.session import Session
from datamodules.base import ImageDataModule
from datamodules.mixtures import Mixture
from models.base import GenerativeModel

CELLS = 10  # of C_T
KID_SUBSET = 1000  # images
CACHE = Path.home() / ".cache" / "generative-trilemma"  # reference features, by content


@dataclass(frozen=True)
class EvaluationContext:
    """The means to evaluate rows; equal for all rows of a table except for the precision."""

    reference_set: ReferenceSet
    device: torch.device
    precision: str  # that samplers run in: float32 or bfloat16
    code: dict[str, Any]  # of the measurement, see `running_code`
    metrics: tuple[OwnMetric, ...] = ()  # of the user's own

    @property
    def own(self) -> dict[str, str]:
        """Name -> version of the user's own metrics."""
        return {metric.name: str(metric.version) for metric in self.metrics}


@dataclass(frozen=True)
class RunContext:
    """A run in progress: built once, passed on whole."""

    config: Config
    data: ImageDataModule
    model: GenerativeModel
    evaluation: EvaluationContext
    session: Session

    @property
    def run_id(self) -> str:
        return run_id(self.config)

    @property
    def folder(self) -> ResultsFolder:
        return ResultsFolder(Path(self.config.results))

    @property
    def weights(self) -> Path:
        """The path of the final weights."""
        return self.folder.weights(self.run_id)


def evaluation_context(config: Config, data: ImageDataModule, precision: str, cells: int = CELLS) -> EvaluationContext:
    """Load the extractor and the training split's features, which are computed once a machine; `cells` of C_T.

    A judge of labels is trained for a model that is given labels, likewise once a machine.
    """
    settings = config.evaluation
    device = sampling_device(config)
    extractor = configured_extractor(config)
    features = training_reference(data, extractor)
    with Bar(f"{settings.extractor} features, held out", settings.samples, "images") as bar:
        held_out_set = held_out(
            data.test_images, features, extractor, samples=settings.samples, seed=settings.seed, cells_wanted=cells,
            cache=CACHE, progress=lambda _, done, total: bar.advance(done - bar.done),
        )  # fmt: skip
    total = min(PER_SAMPLE * settings.samples, len(data.test_images))
    with Bar("nearest training images by pixels, held out", total, "images") as bar:
        pixels = training_pixels(
            data.train_images, data.test_images, features, held_out_set, samples=settings.samples, seed=settings.seed,
            cache=CACHE, progress=lambda _, done, total: bar.advance(done - bar.done),
        )  # fmt: skip
    reference_set = ReferenceSet(
        extractor, features, held_out_set, modes(data, data_name(config, data), extractor), pixels,
        None if extractor.name == RANDOM_NETWORK else second_reference(data.train_images, device),
        class_reference(data, extractor) if conditional(config.model) else None,
    )  # fmt: skip
    floats = "bfloat16" if precision == "bf16-mixed" else "float32"
    return EvaluationContext(reference_set, device, floats, running_code(config), load_own_metrics(config))


def load_own_metrics(config: Config) -> tuple[OwnMetric, ...]:
    """Import the configured metrics of the user's own."""
    metrics = []
    for name, version in own_metrics(config).items():
        component = configured(key_of("metric", name), config)
        assert component.place is not None
        metrics.append(own_metric(name, component.load(), version, component.place.owns))
    return tuple(metrics)


def configured_extractor(config: Config) -> Extractor:
    """Load the extractor on the device that samples are drawn on."""
    if is_own(config):
        return load_own_extractor(config, sampling_device(config))
    weights = config.evaluation.extractor_weights
    return load_extractor(config.evaluation.extractor, Path(weights) if weights else None, sampling_device(config))


def training_reference(data: ImageDataModule, extractor: Extractor) -> Reference:
    """Return the training split's features, which are cached."""
    with Bar(f"{extractor.name} features, train split", len(data.train_images), "images") as bar:
        return reference(data.train_images, extractor, CACHE, lambda _, done, total: bar.advance(done - bar.done))


def second_reference(training: Tensor, device: torch.device) -> SecondReference | None:
    """Return the training split in the features of the random network, which are cached; None for points."""
    if training.dtype != torch.uint8:
        return None
    extractor = random_network(device)
    with Bar(f"{extractor.name} features, train split", len(training), "images") as bar:
        features = reference(training, extractor, CACHE, lambda _, done, total: bar.advance(done - bar.done))
    return SecondReference(extractor, features.moments)


def class_reference(data: ImageDataModule, extractor: Extractor) -> ClassReference:
    """Return the judge of the data's labels, and what else samples of given labels are compared with."""
    judged = judge(data, extractor)
    console.print(f"  judge of labels: {judged.name}")
    return ClassReference(judged, data.train_labels, data.test_images, data.test_labels)


def judge(data: ImageDataModule, extractor: Extractor) -> Judge:
    """Return the nearest centre of a mixture; otherwise a classifier, taught by half of the held-out images."""
    classes = int(data.train_labels.max()) + 1
    if isinstance(data, Mixture):
        centres = data.centres
        nearest = Judge(
            "the nearest centre", lambda x: torch.cdist(x.flatten(1), centres).argmin(1),
            torch.zeros(len(data.test_images), dtype=torch.bool),
        )  # fmt: skip
        return nearest

    def progress(steps: range) -> Iterator[int]:
        with Bar("train the judge of labels", len(steps), "batches") as bar:
            for step in steps:
                yield step
                bar.advance()

    if extractor.by_channel:
        return channel_judge(data.test_images, data.test_labels, extractor.classes, CACHE, progress)
    return trained_judge(data.test_images, data.test_labels, classes, CACHE, progress)


def modes(data: ImageDataModule, name: str, extractor: Extractor) -> Modes | None:
    """Return a mixture's components; otherwise the classes, if the extractor is a classifier of them."""
    if isinstance(data, Mixture):
        count = len(data.centres)
        assign = partial(in_space, data.centres, data.deviation)
        return Modes(f"within 3 deviations of {count} centres", assign, shares(data.train_labels, count))
    if extractor.taught_by != name:
        return None
    channels = data.image_shape[0] if extractor.by_channel else 1
    count = extractor.classes**channels
    probabilities = shares(data.train_labels, count)
    if absent := int((probabilities == 0).sum()):
        console.print(f"[yellow]  modes are not counted: {absent:,} of {count:,} never occur in the training split[/]")
        return None
    subject = "held-out channels" if extractor.by_channel else "held-out images"
    right = f", right on {extractor.accuracy:.2%} of {subject}" if extractor.accuracy else ""
    return Modes(f"{count:,} by {extractor.name}{right}", partial(in_logits, extractor.classes), probabilities)


def in_space(centres: Tensor, deviation: float, features: Tensor, logits: Tensor | None) -> Tensor:
    return by_centres(features, centres, deviation)


def in_logits(classes: int, features: Tensor, logits: Tensor | None) -> Tensor:
    assert logits is not None
    return by_classifier(logits, classes)


def shares(labels: Tensor, count: int) -> Tensor:
    return torch.bincount(labels, minlength=count).double() / len(labels)


def protocol(config: Config, evaluation: EvaluationContext, **row: Any) -> Protocol:
    """Return the protocol of one row; `row` holds the fields that may differ between rows."""
    settings, reference_set = config.evaluation, evaluation.reference_set
    return Protocol(
        data=config.data["name"],
        extractor=reference_set.extractor.name,
        extractor_digest=reference_set.extractor.digest,
        reference_digest=reference_set.reference.digest,
        held_out_digest=reference_set.held_out.digest if reference_set.held_out else "",
        samples=settings.samples,
        seed=settings.seed,
        chunk=settings.chunk,
        kid_subset_size=min(KID_SUBSET, settings.samples, len(reference_set.reference.features)),
        quantisation="uint8" if reference_set.extractor.dtype == torch.uint8 else "none",
        cells=len(reference_set.held_out.centroids) if reference_set.held_out else CELLS,
        modes=reference_set.modes.name if reference_set.modes else "",
        mode_count=len(reference_set.modes.probabilities) if reference_set.modes else 0,
        **row,
    )
