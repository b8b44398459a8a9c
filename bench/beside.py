"""What models do beside sampling: which abilities a model has, each measured once and recorded."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench import records
from bench.evaluation import (
    BASELINES,
    AbilityProtocol,
    Progress,
    baseline_features,
    bits,
    denoising,
    encoded_features,
    probe_accuracies,
    reconstruction,
    subset,
)
from bench.progress import Bar, console
from bench.schema import Config
from datamodules import ImageDataModule
from models import GenerativeModel
from models.protocols import BoundsLikelihood, Denoises, Encodes, Reconstructs

PROBE_SHARE = 5  # training images a probe learns from, for each held-out image it is asked about
MOST_CLASSES = 100  # that a probe is asked to tell: the 1000 of Stacked MNIST would take it hours


@dataclass(frozen=True, eq=False)
class Task:
    """The images that every model is asked about, and how."""

    images: Tensor  # held out
    labels: Tensor
    train_images: Tensor
    train_labels: Tensor
    seed: int
    chunk: int
    device: torch.device
    progress: Progress | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"chunk": self.chunk, "device": self.device, "progress": self.progress}

    def passes(self, ability: str, model: GenerativeModel) -> int:
        """Images that measuring an ability shows to the model."""
        if ability == "encode":
            return len(self.train_images) + len(self.images)
        return len(self.images) * (
            len(model.noise_levels) if isinstance(model, Denoises) and ability == "denoise" else 1
        )


def is_images(data: ImageDataModule) -> bool:
    """Whether they are 8-bit images, and not points of a plane, which only sampling is compared on."""
    return data.train_images.dtype == torch.uint8


def learned_from(config: Config, data: ImageDataModule) -> int:
    """How many training images a probe learns from; none where they have no labels to learn."""
    labelled = is_images(data) and 1 < len(data.train_labels.unique()) <= MOST_CLASSES
    return min(PROBE_SHARE * config.evaluation.samples, len(data.train_images)) if labelled else 0


def task(config: Config, data: ImageDataModule, device: torch.device) -> Task:
    settings = config.evaluation
    held_out = subset(len(data.test_images), settings.samples, settings.seed, "held out")
    train = subset(len(data.train_images), learned_from(config, data), settings.seed, "probe")
    return Task(
        data.test_images[held_out], data.test_labels[held_out], data.train_images[train], data.train_labels[train],
        settings.seed, settings.chunk, device,
    )  # fmt: skip


def encode(model: Encodes, asked: Task) -> dict[str, Any]:
    train, test = (
        encoded_features(model.encode, images, **asked.settings) for images in (asked.train_images, asked.images)
    )
    return probe_accuracies(train, asked.train_labels, test, asked.labels)


def denoise(model: Denoises, asked: Task) -> dict[str, Any]:
    levels = denoising(
        model.corrupt, model.denoise, model.noise_levels, asked.images, seed=asked.seed, **asked.settings
    )
    return {"levels": levels}


Measure = Callable[[Any, Task], dict[str, Any]]
ABILITIES: Mapping[str, tuple[type, Measure]] = {
    "reconstruct": (
        Reconstructs, lambda model, asked: reconstruction(model.reconstruct, asked.images, **asked.settings)
    ),
    "encode": (Encodes, encode),
    "bits_per_dim": (
        BoundsLikelihood, lambda model, asked: bits(model.bits_per_dim, asked.images, seed=asked.seed, **asked.settings)
    ),
    "denoise": (Denoises, denoise),
}  # fmt: skip


def protocol(ability: str, config: Config, data: ImageDataModule, weights: str) -> AbilityProtocol:
    """What the figures of one ability depend on beside the model."""
    settings = config.evaluation
    learned = learned_from(config, data) if ability == "encode" else 0
    return AbilityProtocol(
        ability=ability,
        data=config.data["name"],
        test_digest=data.digest("test"),
        train_digest=data.digest("train") if learned else "",
        images=settings.samples,
        train_images=learned,
        seed=settings.seed,
        chunk=settings.chunk,
        weights=weights,
        precision="float32",
    )


def missing_abilities(
    record: records.Record, config: Config, data: ImageDataModule, model: GenerativeModel
) -> dict[str, AbilityProtocol]:
    """What the model can do that is not recorded under these settings."""
    weights = "ema" if model.ema_decay else "raw"
    wanted = {
        name: protocol(name, config, data, weights)
        for name, (able, _) in ABILITIES.items()
        if isinstance(model, able) and is_images(data) and (name != "encode" or learned_from(config, data))
    }
    return {name: stated for name, stated in wanted.items() if stated.fingerprint() not in record.abilities}


def measure_abilities(
    record: records.Record, config: Config, data: ImageDataModule, model: GenerativeModel, device: torch.device
) -> None:
    """Measure and record what is missing, each as soon as it is known."""
    model.to(device).eval()
    asked = task(config, data, device)
    for name, stated in missing_abilities(record, config, data, model).items():
        with Bar(f"{name} {config.model['name']}", asked.passes(name, model), "images") as bar:
            figures = ABILITIES[name][1](model, dataclasses.replace(asked, progress=advancing(bar)))
        record.abilities[stated.fingerprint()] = records.Ability(protocol=stated.to_dict(), figures=figures)
        records.write(record, Path(config.results))


def advancing(bar: Bar) -> Progress:
    """Moves a bar on by the images that each stage has done since it spoke last."""
    last: dict[str, int] = defaultdict(int)

    def progress(stage: str, done: int, total: int) -> None:
        before = last[stage] if done > last[stage] else 0  # a stage that begins again counts from nothing
        last[stage] = done
        bar.advance(done - before)

    return progress


def measure_baselines(config: Config, data: ImageDataModule) -> None:
    """Record what raw pixels and principal components tell a probe, unless it is: what features must beat."""
    if not learned_from(config, data):
        return
    stated = protocol("encode", config, data, weights="none")
    for kind in BASELINES:
        name = f"{kind.replace(' ', '-').lower()}-{config.data['name']}-{stated.fingerprint()}"
        if records.find(Path(config.results), name):
            continue
        asked = task(config, data, torch.device("cpu"))
        train, test = baseline_features(kind, asked.train_images, asked.images)
        figures = probe_accuracies(train, asked.train_labels, test, asked.labels)
        console.print(f"  the probes on {kind}: " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        record = records.reference(name, kind, config.model_dump(), data.digest("test"))
        record.abilities[stated.fingerprint()] = records.Ability(protocol=stated.to_dict(), figures=figures)
        records.write(record, Path(config.results))
