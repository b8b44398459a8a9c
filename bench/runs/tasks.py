"""Measure and record the abilities that a model has beside sampling, each once."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import torch

from bench.config.schema import Config
from bench.evaluation.features.extractor import Progress
from bench.evaluation.features.reference import subset
from bench.evaluation.tasks.measures import Task
from bench.evaluation.tasks.probe import BASELINES, baseline_features, probe_accuracies
from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.evaluation.tasks.registry import ABILITIES
from bench.results import records
from bench.runs.build import is_images
from bench.runs.context import RunContext
from bench.runtime.console import Bar, console
from bench.table.tasks import check_section
from datamodules.base import ImageDataModule
from models.base import GenerativeModel

PROBE_SHARE = 5  # training images a probe learns from, for each held-out image it classifies
MOST_CLASSES = 100  # that a probe distinguishes; the 1000 of Stacked MNIST would take hours


def learned_from(config: Config, data: ImageDataModule) -> int:
    """Return how many training images a probe learns from; 0 if they have no labels."""
    labelled = is_images(data) and 1 < len(data.train_labels.unique()) <= MOST_CLASSES
    return min(PROBE_SHARE * config.evaluation.samples, len(data.train_images)) if labelled else 0


def image_count(config: Config, data: ImageDataModule) -> int:
    """Return how many held-out images the tasks use: as many as there are samples, or all."""
    return min(config.evaluation.samples, len(data.test_images))


def task(config: Config, data: ImageDataModule, device: torch.device) -> Task:
    settings = config.evaluation
    held_out = subset(len(data.test_images), image_count(config, data), settings.seed, "held out")
    train = subset(len(data.train_images), learned_from(config, data), settings.seed, "probe")
    return Task(
        data.test_images[held_out], data.test_labels[held_out], data.train_images[train], data.train_labels[train],
        settings.seed, settings.chunk, device,
    )  # fmt: skip


def protocol(ability: str, config: Config, data: ImageDataModule, weights: str) -> AbilityProtocol:
    """Return what the figures of one ability depend on beside the model."""
    settings = config.evaluation
    learned = learned_from(config, data) if ABILITIES[ability].labelled else 0
    return AbilityProtocol(
        ability=ability,
        data=config.data["name"],
        test_digest=data.digest("test"),
        train_digest=data.digest("train") if learned else "",
        images=image_count(config, data),
        train_images=learned,
        seed=settings.seed,
        chunk=settings.chunk,
        weights=weights,
        precision="float32",
    )


def task_protocols(config: Config, data: ImageDataModule, model: GenerativeModel) -> dict[str, AbilityProtocol]:
    """Return ability -> protocol for the abilities that the model has and the data allow."""
    weights = "ema" if model.ema_decay else "raw"
    for name, entry in ABILITIES.items():
        check_section(name, entry)
    return {
        name: protocol(name, config, data, weights)
        for name, entry in ABILITIES.items()
        if entry.had_by(model) and is_images(data) and (not entry.labelled or learned_from(config, data))
    }


def measure_tasks(context: RunContext, record: records.Record, names: Iterable[str]) -> None:
    """Measure and record the named abilities, each as soon as it is known."""
    config, model, device = context.config, context.model, context.evaluation.device
    model.to(device).eval()
    images = task(config, context.data, device)
    protocols = task_protocols(config, context.data, model)
    for name in names:
        entry, stated = ABILITIES[name], protocols[name]
        with Bar(f"{name} {config.model['name']}", entry.passes(model, images), "images") as bar:
            figures = entry.figures(model, dataclasses.replace(images, progress=advancing(bar)))
        record.abilities[stated.fingerprint()] = records.Ability(protocol=stated.to_dict(), figures=figures)
        records.write(record, context.folder.root)


def advancing(bar: Bar) -> Progress:
    """Return a function that advances a bar by the images that each stage has done since its last call."""
    last: dict[str, int] = defaultdict(int)

    def progress(stage: str, done: int, total: int) -> None:
        earlier = last[stage] if done > last[stage] else 0  # a stage that begins again counts from 0
        last[stage] = done
        bar.advance(done - earlier)

    return progress


def probe_baselines(config: Config, data: ImageDataModule) -> None:
    """Record the probes on raw pixels and principal components, unless they are recorded: features must beat them."""
    if not learned_from(config, data):
        return
    stated = protocol("encode", config, data, weights="none")
    for kind in BASELINES:
        name = f"{kind.replace(' ', '-').lower()}-{config.data['name']}-{stated.fingerprint()}"
        if records.find(Path(config.results), name):
            continue
        baseline_task = task(config, data, torch.device("cpu"))
        train, test = baseline_features(kind, baseline_task.train_images, baseline_task.images)
        figures = probe_accuracies(train, baseline_task.train_labels, test, baseline_task.labels)
        console.print(f"  probes on {kind}: " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        record = records.reference(name, kind, config.model_dump(), data.digest("test"))
        record.abilities[stated.fingerprint()] = records.Ability(protocol=stated.to_dict(), figures=figures)
        records.write(record, Path(config.results))
