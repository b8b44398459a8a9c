"""`bench extractor`: train the classifier of a labelled data set and keep it as the extractor `<data>-cnn`."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.config.load import load
from bench.config.schema import ConfigError
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import EPOCHS, accuracy, train
from bench.evaluation.features.weights import save_classifier
from bench.runs.build import build_data, data_name, is_images
from bench.runtime.console import Bar, console
from datamodules.base import ImageDataModule


def train_extractor(overrides: Sequence[str]) -> None:
    """Train on the training split, measure on the held-out split, write the weights into the user's cache."""
    config = load(["model=vae", *overrides])[0]  # any model: only data and seed matter here
    data = build_data(config)
    name = config.data["name"]
    if not is_images(data):
        raise ConfigError(f"data={name}: points of the plane need no classifier; their coordinates are their features")
    if len(data.train_labels.unique()) < 2:
        raise ConfigError(
            f"data={name}: has no class labels, and a classifier needs them; use evaluation.extractor=inception-v3, or "
            "give a data set of your own classes (data.classes of image_folder, data.label of hugging_face)"
        )
    trained = train_classifier(data_name(config, data), data, config.seed)
    if (pretrained.ASSETS / pretrained.classifier_file(trained).name).exists():
        console.print(f"[yellow]  this file replaces the {trained} that is shipped until it is deleted[/]")


def train_classifier(name: str, data: ImageDataModule, seed: int, epochs: int = EPOCHS) -> str:
    """Train a classifier of the data set `name`, keep it in the user's cache, and return the extractor's name."""
    extractor = f"{name}-cnn"
    target = pretrained.cache_folder() / f"{extractor}.pt"
    check_writable(target.parent)

    def bar(steps: range) -> Iterator[int]:
        with Bar(f"train {extractor}", len(steps), "batches") as progress:
            for step in steps:
                yield step
                progress.advance()

    model = train(data.train_images, data.train_labels, epochs=epochs, seed=seed, progress=bar)
    share = accuracy(model, data.test_images, data.test_labels)
    save_classifier(model, target, name, share)
    console.print(f"  {target}: {share:.2%} of {len(data.test_labels):,} held-out images classified correctly; "
                  f"use it with evaluation.extractor={extractor}")  # fmt: skip
    return extractor


def check_writable(folder: Path) -> None:
    """Raise ConfigError early, unless the folder can be created and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(
            f"{folder}: extractors are kept here, but it cannot be written to ({error.strerror}); "
            "set XDG_CACHE_HOME to a writable folder"
        ) from error
