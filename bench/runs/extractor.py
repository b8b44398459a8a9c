"""`bench extractor`: train the classifier of a labelled data set and keep it as the extractor `<data>-cnn`."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.config.load import load
from bench.config.schema import ConfigError
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import accuracy, train
from bench.evaluation.features.weights import save_classifier
from bench.runs.build import build_data, is_images
from bench.runtime.console import Bar, console


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
            "give an image_folder classes with data.classes"
        )
    target = pretrained.cache_folder() / f"{name}-cnn.pt"
    check_writable(target.parent)

    def bar(steps: range) -> Iterator[int]:
        with Bar(f"train {name}-cnn", len(steps), "batches") as progress:
            for step in steps:
                yield step
                progress.advance()

    model = train(data.train_images, data.train_labels, seed=config.seed, progress=bar)
    share = accuracy(model, data.test_images, data.test_labels)
    save_classifier(model, target, name, share)
    console.print(f"{target}: {share:.2%} of {len(data.test_labels):,} held-out images classified correctly; "
                  f"use it with evaluation.extractor={name}-cnn")  # fmt: skip
    if (pretrained.ASSETS / target.name).exists():
        console.print(f"[yellow]  this file replaces the {name}-cnn that is shipped until it is deleted[/]")


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
