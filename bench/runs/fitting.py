"""Choose what a configuration leaves to images of the user's own, and say what was chosen and what it is worth."""

from rich.markup import escape

from bench.config.devices import sampling_device
from bench.config.fitted import SIDE
from bench.config.schema import Config
from bench.evaluation.features.classifier import EPOCHS
from bench.evaluation.features.registry import INCEPTION, known_extractors
from bench.evaluation.features.weights import classifier_file, inception_files, read_classifier
from bench.evaluation.protocol import RANDOM_NETWORK
from bench.runs.build import data_name, print_once
from bench.runs.extractor import train_classifier
from bench.runtime import ranks
from datamodules.base import ImageDataModule

AUTO = "auto"  # the extractor that a data set's YAML leaves to this file
IMAGES_A_CLASS = 20  # training images, on average, that a classifier needs to learn more than these
SEEN = 100_000  # images that teach it, of a set of at least as many as that over EPOCHS
SURE = 200  # held-out images; of fewer, most marks stay open
SOON_LEARNED = 5_000  # training images; fewer are soon learned by heart


def fit_evaluation(config: Config, data: ImageDataModule) -> Config:
    """Return the configuration with the settings of the evaluation that its images decide; print them, once.

    The extractor `auto` is a classifier of the data's classes, trained here unless it is in the user's cache;
    without enough images of each class Inception-v3, where a GPU computes it and its weights are on this machine; else
    the random network. There are at most as many samples as training images.
    """
    settings = config.evaluation
    if not config.fitted and settings.extractor != AUTO:
        return config
    if settings.extractor == AUTO:
        extractor = ranks.in_turn(lambda: choose_extractor(config, data))
        settings = settings.model_copy(update={"extractor": extractor})
        config = config.model_copy(update={"fitted": sorted({*config.fitted, "evaluation.extractor"})})
    if "evaluation.samples" in config.fitted:
        settings = settings.model_copy(update={"samples": min(settings.samples, len(data.train_images))})
    chosen = config.model_copy(update={"evaluation": settings})
    ranks.on_first(lambda: print_once(escape("\n".join(description(chosen, data)))))
    return chosen


def choose_extractor(config: Config, data: ImageDataModule) -> str:
    """Return the name of the extractor that fits the data and the machine; train it if it is a classifier."""
    classes = int(data.train_labels.max()) + 1
    if classes > 1 and len(data.train_images) >= IMAGES_A_CLASS * classes:
        name = data_name(config, data)
        epochs = min(EPOCHS, max(1, SEEN // len(data.train_images)))
        known = f"{name}-cnn" in known_extractors()
        return f"{name}-cnn" if known else train_classifier(name, data, seed=0, epochs=epochs)
    if sampling_device(config).type == "cuda" and inception_files():
        return INCEPTION
    return RANDOM_NETWORK


def description(config: Config, data: ImageDataModule) -> list[str]:
    """Return lines on what was chosen for images of the user's own, and on what the figures can tell."""
    classes = int(data.train_labels.max()) + 1
    trained, held_out = len(data.train_images), len(data.test_images)
    shape = " x ".join(map(str, data.image_shape))
    labels = f"{classes:,} classes" if classes > 1 else "no classes"
    few = "few, so that intervals are wide and many marks stay open (≈)" if held_out < SURE else "see their intervals"
    lines = [
        f"data: {trained:,} images to train on and {held_out:,} held out, {shape}, {labels}",
        *choices(config, data),
        "what the figures can tell:",
        "  FID, precision, coverage and the like are distances in the features of the extractor. They compare the",
        "  rows of this table with each other and with the held-out images, and not with figures of papers.",
        f"  The bars of the marks are figures of {held_out:,} held-out images: {few}.",
    ]
    if trained < SOON_LEARNED:
        lines.append(
            f"  A model may learn {trained:,} images by heart: see the figures of copies and the nearest images."
        )
    return [f"  {line}" for line in lines]


def choices(config: Config, data: ImageDataModule) -> list[str]:
    """Return lines on the settings that the user has left to the images."""
    evaluation, trained, lines = config.evaluation, len(data.train_images), []
    if "evaluation.extractor" in config.fitted:
        lines.append(f"  evaluation.extractor={evaluation.extractor}: {about_extractor(evaluation.extractor, data)}")
    if "evaluation.samples" in config.fitted:
        most = ", all that there are training images for" if evaluation.samples == trained else ""
        lines.append(f"  evaluation.samples={evaluation.samples}: images that a row is judged on{most}")
    side = data.image_shape[1]
    if side > SIDE and "train.images" in config.fitted:
        lines.append(
            f"  model.patch or train.images of each model: so that {side} pixels a side train about as long as {SIDE}"
        )
    return ["chosen to fit them, where no other value is typed:", *lines] if lines else []


def about_extractor(name: str, data: ImageDataModule) -> str:
    """Return what an extractor that `choose_extractor` chose sees in images."""
    if name == RANDOM_NETWORK:
        classes = int(data.train_labels.max()) + 1
        few = f"{IMAGES_A_CLASS} images of each of the {classes:,} classes would teach a classifier, which sees more"
        none = f"a classifier of classes of yours or {INCEPTION} (photographs) sees more"
        return (
            f"fixed random weights, which see edges, colours and places, but no objects; {few if classes > 1 else none}"
        )
    if name == INCEPTION:
        return "features made for photographs; in drawings and scans they see less"
    _, facts = read_classifier(classifier_file(name))
    return (
        f"a classifier of the {facts['classes']:,} classes, right on {facts['accuracy']:.1%} of the held-out images; "
        "it sees what tells the classes apart"
    )
