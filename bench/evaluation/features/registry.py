"""The registry of extractors: their names, whether one is available, and the extractor itself.

`<data>-cnn` is a classifier trained on the data, from the user's cache or from `assets/`; `stacked-<data>-cnn` is the
same on each channel by itself; `inception-v3` is the network of the published FIDs; `coordinates` takes points of the
plane as they are; `random-network` has fixed random weights. Other packages add extractors by entry points,
`installed.py`.
torch-fidelity is imported only when an extractor is loaded: it takes seconds.
"""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import FEATURES
from bench.evaluation.features.extractor import Extractor, check_channels
from bench.evaluation.features.installed import installed_extractors, load_installed
from bench.evaluation.features.random_network import CHANNELS as RANDOM_CHANNELS
from bench.evaluation.features.random_network import random_network
from bench.evaluation.protocol import RANDOM_NETWORK

INCEPTION, COORDINATES = "inception-v3", "coordinates"
INCEPTION_CHANNELS = (1, 3)  # grey is repeated to RGB
STACKED_CHANNELS = 3
PLANE = 2  # channels of a point: its coordinates


class Coordinates(nn.Module):
    """Points of the plane are features already."""

    def forward(self, points: Tensor) -> tuple[Tensor]:
        """float32 N x 2 x 1 x 1 -> (float32 N x 2,). Raises EvaluationError for another shape."""
        if points.shape[1:] != (PLANE, 1, 1):
            message = f"extractor={COORDINATES} takes N x 2 x 1 x 1, but these are {tuple(points.shape)}."
            raise EvaluationError(message, key="extractor", value=COORDINATES)
        return (points.flatten(1),)


def known_extractors() -> list[str]:
    """Return the names that need no `weights`: the suite's own, and then those of installed packages."""
    own = own_extractors()
    return [*own, *(name for name in installed_extractors() if name not in own)]


def own_extractors() -> list[str]:
    """Return Inception-v3, coordinates, the random network, and two names for each classifier."""
    classifiers = list(pretrained.classifier_files())
    return [INCEPTION, COORDINATES, RANDOM_NETWORK, *classifiers, *(pretrained.STACKED + name for name in classifiers)]


def _is_installed(name: str) -> bool:
    return name not in own_extractors() and name in installed_extractors()


def check_extractor(name: str, channels: int, weights: Path | None = None) -> None:
    """Raise EvaluationError if `load_extractor` would, or if the extractor does not take such images.

    Cheap: nothing is downloaded and no Inception weights are read.
    """
    if name == INCEPTION:
        pretrained.find_inception(weights)
        check_channels(name, INCEPTION_CHANNELS, channels)
    elif name in (COORDINATES, RANDOM_NETWORK):
        _refuse_weights(name, weights)
        check_channels(name, (PLANE,) if name == COORDINATES else RANDOM_CHANNELS, channels)
    elif _is_installed(name):
        _refuse_weights(name, weights)
        check_channels(name, load_installed(name, "cpu").channels, channels)
    else:
        _, about = pretrained.read_classifier(_classifier_path(name, weights))
        check_channels(name, _classifier_channels(name, about), channels)


def load_extractor(name: str, weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """Load the extractor `name` on `device`; a network is registered with torch-fidelity under the same name.

    `weights`: another classifier's file for a `-cnn`, or an Inception-v3 file; None: the file of
    `known_extractors` or `pretrained.find_inception`. Raises EvaluationError for an unknown name or bad weights.
    """
    if _is_installed(name):
        _refuse_weights(name, weights)
        return load_installed(name, device)
    if name == COORDINATES:
        _refuse_weights(name, weights)
        digest = hashlib.sha256(name.encode()).hexdigest()
        return Extractor(name, digest, PLANE, (PLANE,), chunk=10_000, module=Coordinates(), dtype=torch.float32)
    if name == RANDOM_NETWORK:
        _refuse_weights(name, weights)
        return random_network(device)
    return _inception(weights, device) if name == INCEPTION else _classifier(name, weights, device)


def _inception(weights: Path | None, device: torch.device | str) -> Extractor:
    from bench.evaluation.features import torch_fidelity as fidelity

    fidelity.register(INCEPTION, fidelity.InceptionFeatures)
    inception = fidelity.InceptionFeatures(INCEPTION, [fidelity.INCEPTION_LAYER], weights)
    # No fc and no counters: the features do not depend on them, and not every source has them.
    state = {k: v for k, v in inception.state_dict().items() if not k.startswith("fc.") and "num_batches" not in k}
    classes = 0
    if inception.has_logits:
        inception.features_list.append(fidelity.INCEPTION_LOGITS)
        classes = inception.fc.out_features
    module = inception.to(device)
    return Extractor(
        INCEPTION, storage.digest(state), 2048, INCEPTION_CHANNELS, chunk=50, module=module, classes=classes
    )


def _classifier(name: str, weights: Path | None, device: torch.device | str) -> Extractor:
    from bench.evaluation.features import torch_fidelity as fidelity

    stacked = name.startswith(pretrained.STACKED)
    path = _classifier_path(name, weights)
    features = fidelity.StackedFeatures if stacked else fidelity.ClassifierFeatures
    fidelity.register(name, features)
    cnn = features(name, [fidelity.CLASSIFIER_LAYER, fidelity.CLASSIFIER_LOGITS], path)
    return Extractor(
        name,
        storage.digest(cnn.classifier.state_dict()),
        dim=FEATURES * (STACKED_CHANNELS if stacked else 1),
        channels=_classifier_channels(name, cnn.about),
        chunk=100 if stacked else 250,
        module=cnn.eval().to(device),
        by_channel=stacked,
        taught_by=("stacked_" if stacked else "") + cnn.about["data"],
        classes=cnn.about["classes"],
        accuracy=cnn.about["accuracy"],
    )


def _classifier_path(name: str, path: Path | None) -> Path:
    if path is None and name not in known_extractors():
        raise unknown("extractor", name, known_extractors())
    if not name.endswith("-cnn"):
        message = f"extractor={name} with weights={path} is neither {INCEPTION} nor named <data>-cnn."
        raise EvaluationError(message, key="extractor", value=name, choices=[INCEPTION, "<data>-cnn"])
    return path or pretrained.classifier_file(name)


def _classifier_channels(name: str, about: dict[str, Any]) -> tuple[int, ...]:
    """Return the channel counts that the extractor `name` takes with the classifier that `about` describes."""
    if not name.startswith(pretrained.STACKED):
        return (about["channels"],)
    if about["channels"] != 1:
        raise EvaluationError(
            f"extractor={name} needs a classifier of grey images, not of {about['channels']} channels.",
            key="extractor",
            value=name,
        )
    return (STACKED_CHANNELS,)


def _refuse_weights(name: str, weights: Path | None) -> None:
    if weights is not None:
        message = f"extractor={name} has no weights, but weights={weights} are given."
        raise EvaluationError(message, key="weights", value=weights)
