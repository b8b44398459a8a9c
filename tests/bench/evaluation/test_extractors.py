"""Extractors by name: files, digests and refusals."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.evaluation import (
    EvaluationError,
    check_extractor,
    known_extractors,
    load_extractor,
    pretrained,
    save_classifier,
)
from bench.evaluation.classifier import Classifier

SHIPPED = pretrained.ASSETS / "mnist-cnn.pt"


def test_a_saved_classifier_is_an_extractor_with_the_same_features(
    assets: Path, random_classifier: Classifier, images: Callable[..., Tensor]
) -> None:
    save_classifier(random_classifier, assets / "digits-cnn.pt", data="digits", accuracy=0.5)
    assert known_extractors() == ["inception-v3", "digits-cnn", "mnist-cnn"]
    check_extractor("digits-cnn", channels=1)
    with torch.inference_mode():
        expected = random_classifier.features(images(8, seed=0))
    torch.testing.assert_close(load_extractor("digits-cnn")(images(8, seed=0)), expected)


def test_the_digest_is_of_the_weights_and_not_of_the_file(assets: Path, random_classifier: Classifier) -> None:
    save_classifier(random_classifier, assets / "other-cnn.pt", data="other", accuracy=0.9)
    mnist, other = load_extractor("mnist-cnn"), load_extractor("other-cnn")
    assert mnist.digest == other.digest
    with torch.no_grad():
        changed = Classifier(1, 10)
        changed.load_state_dict(random_classifier.state_dict())
        next(changed.parameters())[0, 0, 0, 0] += 1e-3
    save_classifier(changed, assets / "other-cnn.pt", data="other", accuracy=0.9)
    assert load_extractor("other-cnn").digest != mnist.digest


@pytest.mark.parametrize(
    ("name", "channels", "message"),
    [
        (
            "mnst-cnn",
            1,
            r"extractor=mnst-cnn is unknown \(did you mean mnist-cnn\?\); the choices are incep",
        ),
        ("mnist-cnn", 3, r"extractor=mnist-cnn takes images of 1 channel\(s\), but these have 3"),
    ],
)
def test_names_and_channels_are_checked_first(assets: Path, name: str, channels: int, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        check_extractor(name, channels)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 half a file", pickle.dumps({"state_dict": {}}, protocol=2), None],
    ids=["empty", "torn", "foreign", "another version"],
)
def test_a_damaged_classifier_is_named(assets: Path, content: bytes | None) -> None:
    path = assets / "mnist-cnn.pt"
    if content is None:
        torch.save(torch.load(path, weights_only=True) | {"version": 2}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"mnist-cnn\.pt is no classifier of this version") as refusal:
        check_extractor("mnist-cnn", 1)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped classifier has not been trained yet")
def test_the_shipped_classifier_is_what_the_project_promises() -> None:
    _, about = pretrained.read_classifier(SHIPPED)
    assert about["data"] == "mnist"
    assert about["accuracy"] >= 0.993
    assert SHIPPED.stat().st_size < 2_000_000


def test_importing_the_package_does_not_pay_for_torch_fidelity() -> None:
    code = "import sys, bench.evaluation; sys.exit('torch_fidelity' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
