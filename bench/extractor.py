"""`bench extractor`: train the classifier of a labelled data set and install it as the extractor `<data>-cnn`."""

from collections.abc import Iterator, Sequence

from bench.beside import is_images
from bench.config import load
from bench.evaluation import save_classifier
from bench.evaluation.classifier import accuracy, train
from bench.evaluation.pretrained import ASSETS
from bench.progress import Bar, console
from bench.run import build_data
from bench.schema import ConfigError


def train_extractor(overrides: Sequence[str]) -> None:
    """Train on the training split, measure on the held-out split, write the weights beside the shipped ones."""
    config = load(["model=vae", *overrides])[0]  # any model: only data and seed matter here
    data = build_data(config)
    name = config.data["name"]
    if not is_images(data):
        raise ConfigError(f"data={name}: points of a plane need no classifier; their coordinates are their features")
    if len(data.train_labels.unique()) < 2:
        raise ConfigError(
            f"data={name}: has no class labels, and a classifier needs them; use evaluation.extractor=inception-v3"
        )

    def bar(steps: range) -> Iterator[int]:
        with Bar(f"train {name}-cnn", len(steps), "batches") as progress:
            for step in steps:
                yield step
                progress.advance()

    model = train(data.train_images, data.train_labels, seed=config.seed, progress=bar)
    share = accuracy(model, data.test_images, data.test_labels)
    target = ASSETS / f"{name}-cnn.pt"
    save_classifier(model, target, name, share)
    console.print(f"{target}: {share:.2%} of {len(data.test_labels):,} held-out images right; "
                  f"use it with evaluation.extractor={name}-cnn")  # fmt: skip
