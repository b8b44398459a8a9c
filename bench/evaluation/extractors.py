"""Extractors by name: which there are, whether one can be had, and the thing itself.

`<data>-cnn` is a classifier trained on the data, in `assets/`; `inception-v3` is the network of the published FIDs.
torch-fidelity is imported only when an extractor is loaded: it takes seconds.
"""

from pathlib import Path

import torch

from bench.evaluation import pretrained, storage
from bench.evaluation.classifier import FEATURES
from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features import Extractor, check_channels

INCEPTION = "inception-v3"
INCEPTION_CHANNELS = (1, 3)  # grey is repeated to RGB


def known_extractors() -> list[str]:
    """The names that need no `weights`: one for each classifier in `assets/`, and Inception-v3."""
    return [INCEPTION, *sorted(path.stem for path in pretrained.ASSETS.glob("*-cnn.pt"))]


def check_extractor(name: str, channels: int, weights: Path | None = None) -> None:
    """Fail first: raises EvaluationError if `load_extractor` would, or if it would not take such images.

    Cheap: nothing is downloaded and no Inception weights are read.
    """
    if name == INCEPTION:
        pretrained.find_inception(weights)
        check_channels(name, INCEPTION_CHANNELS, channels)
    else:
        _, about = pretrained.read_classifier(_classifier_path(name, weights))
        check_channels(name, (about["channels"],), channels)


def load_extractor(name: str, weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """The extractor `name` on `device`, made known to torch-fidelity under the same name.

    `weights`: another classifier's file for a `-cnn`, or an Inception-v3 file; None takes what
    `known_extractors` and `pretrained.find_inception` know. Raises EvaluationError for an unknown name or bad weights.
    """
    from bench.evaluation import fidelity

    if name == INCEPTION:
        fidelity.register(name, fidelity.InceptionFeatures)
        inception = fidelity.InceptionFeatures(name, [fidelity.INCEPTION_LAYER], weights)
        # No fc and no counters: the features do not depend on them, and not every source has them.
        used = {k: v for k, v in inception.state_dict().items() if not k.startswith("fc.") and "num_batches" not in k}
        digest, module = storage.digest(used), inception.to(device)
        return Extractor(name, digest, dim=2048, channels=INCEPTION_CHANNELS, chunk=50, module=module)
    path = _classifier_path(name, weights)
    fidelity.register(name, fidelity.ClassifierFeatures)
    cnn = fidelity.ClassifierFeatures(name, [fidelity.CLASSIFIER_LAYER], path)
    digest, module = storage.digest(cnn.classifier.state_dict()), cnn.eval().to(device)
    return Extractor(name, digest, dim=FEATURES, channels=(cnn.about["channels"],), chunk=250, module=module)


def _classifier_path(name: str, path: Path | None) -> Path:
    if path is None and name not in known_extractors():
        raise unknown("extractor", name, known_extractors())
    if not name.endswith("-cnn"):
        raise EvaluationError(f"extractor={name} with weights={path} is neither {INCEPTION} nor named <data>-cnn.")
    return path or pretrained.ASSETS / f"{name}.pt"
