"""Build the data and the model of a configuration, and refuse what cannot work before any training."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.markup import escape

from bench.config.components import Component, changed_sources, configured
from bench.config.load import without_name
from bench.config.schema import Config, ConfigError, conditional
from bench.evaluation.features.registry import check_extractor
from bench.evaluation.keys import key
from bench.evaluation.protocol import FEWEST
from bench.runs.own_extractor import check_own_extractor, is_own
from bench.runtime import ranks
from bench.runtime.console import console
from bench.runtime.errors import InputError, cause
from bench.training.clusters import learned_from
from datamodules.base import DataError, ImageDataModule
from models.base import DataSpec, GenerativeModel

SMALLEST_SIDE = 4  # pixels; the classifiers' two poolings leave one of it, and SSIM's window is 3 x 3


def build_data(config: Config) -> ImageDataModule:
    """Load and check the configured images."""
    component = configured("data", config)
    build = component.load()
    train = config.train
    data: ImageDataModule = build(
        **without_name(config.data), batch_size=train.batch, images=train.images, seed=config.seed
    )
    ranks.on_first(data.prepare_data)
    ranks.on_each(data.prepare_data)  # a no-op, except on machines without a shared file system
    ranks.on_each(partial(set_up, data, component))
    ranks.on_first(lambda: print_notes(data))
    return data


def set_up(data: ImageDataModule, component: Component) -> None:
    """Load the images; ConfigError where a data set of the user's own fails, or gives what is no `Split` of images."""
    if component.place is None:
        data.setup()
        return
    try:
        data.setup()
        check_splits(data)
    except (InputError, DataError):
        raise
    except Exception as error:
        raise component.place.error(f"cannot be loaded: {cause(error, component.place.owns)}") from error


def check_splits(data: ImageDataModule) -> None:
    """Raise DataError unless the loaded splits are as `datamodules.base.Split` says."""
    for name, images, labels in (
        ("training", data.train_images, data.train_labels), ("held-out", data.test_images, data.test_labels),
    ):  # fmt: skip
        subject = f"data={type(data).__name__}: the {name} images"
        if images.ndim != 4 or not images.is_contiguous():
            raise DataError(f"{subject} have the shape {tuple(images.shape)}; expected N x C x H x W, contiguous")
        if images.dtype not in (torch.uint8, torch.float32):
            raise DataError(f"{subject} are {images.dtype}; expected torch.uint8, or torch.float32 in [-1, 1]")
        if images.dtype == torch.float32 and not images.abs().max() <= 1:
            raise DataError(f"{subject} reach {float(images.abs().max()):.4g}; expected float32 in [-1, 1]")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise DataError(f"{subject} have labels of {labels.dtype}, {tuple(labels.shape)}; expected int64, N")
        if labels.min() < 0 or labels.max() > data.train_labels.max():
            span, last = f"{int(labels.min())} to {int(labels.max())}", int(data.train_labels.max())
            raise DataError(f"{subject} have labels from {span}; expected 0 to {last}, the largest in training")
        if images.shape[1:] != data.image_shape:
            raise DataError(f"{subject} are {tuple(images.shape[1:])}, but the training images are {data.image_shape}")


def print_notes(data: ImageDataModule) -> None:
    """Print the notes about the files of a data set, a line each."""
    for note in data.notes:
        print_once(f"  [yellow]{escape(note)}[/]")


@cache
def print_once(text: str) -> None:
    """Print what is true of all runs of a command before the first of them."""
    console.print(text)


def data_name(config: Config, data: ImageDataModule) -> str:
    """Return the name of the data set; of images or of a class of the user's own, with the head of their digest.

    A classifier that was taught by one folder says nothing about the classes of another.
    """
    name: str = config.data["name"]
    return f"{name}-{data.digest('train')[:8]}" if data.own or "data" in config.plugins else name


def is_images(data: ImageDataModule) -> bool:
    """Return whether the data are 8-bit images; points of the plane are compared on sampling only."""
    return data.train_images.dtype == torch.uint8


def data_spec(data: ImageDataModule) -> DataSpec:
    """Return what a model is told of its data."""
    counts = torch.bincount(data.train_labels)
    shares = (counts.double() / len(data.train_labels)).tolist() if len(counts) > 1 else ()
    return DataSpec(data.image_shape, tuple(shares))


def build_model(config: Config, data: DataSpec) -> GenerativeModel:
    """Build the configured model with the initial weights of its seed."""
    L.seed_everything(key("initial weights", config.seed), verbose=False)
    component = configured("model", config)
    build = component.load()
    try:
        model: GenerativeModel = build(data, **without_name(config.model))
    except ValueError as error:
        raise ConfigError(f"model={config.model['name']}: {error}") from None
    except Exception as error:
        if component.place is None:
            raise
        raise component.place.error(
            f"cannot be built for images of {data.image_shape}: {cause(error, component.place.owns)}"
        ) from error
    return model


def load_weights(model: GenerativeModel, file: Path) -> None:
    """Load final weights into the model; ConfigError if they are of another version of it."""
    try:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
    except RuntimeError as error:
        raise ConfigError(f"{file}: weights of another version of the model; train it again") from error


def announce_changes(config: Config) -> None:
    """Print which sources of the user's own are not those that a recorded run was trained with."""
    if changed := changed_sources(config):
        names = escape(", ".join(changed))
        console.print(f"  [yellow]changed since the training: {names}; new results name the present digests[/]")


def preflight(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Refuse before any training what cannot be trained, sampled or evaluated."""
    if bool(model.classes) != conditional(config.model):
        takes, setting = "labels" if model.classes else "no labels", config.model.get("condition", "none")
        raise ConfigError(
            f"model={config.model['name']}: takes {takes}, but its setting condition is {setting}; "
            "a model of labels has the setting condition, which is none or cluster where self.classes is 0"
        )
    check_clusters(config, data, model)
    for name, sampler in config.samplers.items():
        check_sampler(model, name, sampler)
    check_evaluation(config, data)
    check_samples(config, data)


def check_clusters(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Refuse more clusters than images that they are learned from, and clusters that the setting does not name."""
    setting = config.model.get("condition", "none")
    if (model.clusters is not None) != (setting == "cluster"):
        raise ConfigError(
            f"model={config.model['name']}: self.clusters is {type(model.clusters).__name__}, but its setting "
            f"condition is {setting}; self.clusters is of models.clusters.Clusters where condition is cluster, "
            "and otherwise None"
        )
    if model.clusters is not None and model.clusters.count > (most := learned_from(data.train_images)):
        raise ConfigError(
            f"model.clusters={model.clusters.count}: they are learned from {most:,} training images; "
            "choose fewer clusters"
        )


def check_sampler(model: GenerativeModel, name: str, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError where a model cannot draw by the sampler of this name."""
    try:
        model.check_sampler(**settings)
    except ValueError as error:
        raise ConfigError(f"samplers.{name}: {error}") from None


def check_evaluation(config: Config, data: ImageDataModule) -> None:
    """Refuse settings that the images or the machine cannot meet."""
    settings = config.evaluation
    weights = Path(settings.extractor_weights) if settings.extractor_weights else None
    if is_own(config):
        check_own_extractor(config, data.test_images)
    else:
        check_extractor(settings.extractor, data.image_shape[0], weights)
    if is_images(data):
        check_size(f"data={config.data['name']}", data.image_shape[1:])
    smallest = min(len(data.train_images), len(data.test_images))
    if smallest < FEWEST:
        raise ConfigError(
            f"data={config.data['name']}: {smallest} images in the smaller split are too few to be evaluated; give at "
            f"least {FEWEST} to train on and {FEWEST} that are held out"
        )


def check_samples(config: Config, data: ImageDataModule) -> None:
    """Refuse more samples than the training images that they are compared with."""
    samples, images = config.evaluation.samples, len(data.train_images)
    if samples > images:
        raise ConfigError(
            f"evaluation.samples={samples}: more than the {images:,} training images of data={config.data['name']}; "
            f"set evaluation.samples={images} or fewer",
            key="evaluation.samples", value=samples,
        )  # fmt: skip


def check_size(place: str, size: Sequence[int]) -> None:
    """Refuse images of H x W pixels that are too small for the evaluation; place: the setting that names them."""
    height, width = size
    if min(size) < SMALLEST_SIDE:
        raise ConfigError(
            f"{place}: images of {height} x {width} pixels are too small; the evaluation needs "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE} or more"
        )
