"""Extractors by name: files, digests and refusals."""

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import random_network
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import Classifier
from bench.evaluation.features.registry import check_extractor, known_extractors, load_extractor
from bench.evaluation.features.weights import save_classifier

SHIPPED = pretrained.ASSETS / "mnist-cnn.pt"
DIGEST = "74d5a9b963cee7b054a35d77f3c23b628d2c934a836ac8759d640c59a0f46141"  # recorded figures are compared by it


def test_a_saved_classifier_is_an_extractor_with_the_same_features(
    assets: Path, random_classifier: Classifier, images: Callable[..., Tensor]
) -> None:
    save_classifier(random_classifier, assets / "digits-cnn.pt", data="digits", accuracy=0.5)
    classifiers = ["digits-cnn", "mnist-cnn", "stacked-digits-cnn", "stacked-mnist-cnn"]
    assert known_extractors() == ["inception-v3", "coordinates", "random-network", *classifiers]
    check_extractor("digits-cnn", channels=1)
    with torch.inference_mode():
        expected = random_classifier.features(images(8, seed=0)), random_classifier(images(8, seed=0))
    extractor = load_extractor("digits-cnn")
    torch.testing.assert_close(extractor.outputs(images(8, seed=0)), expected)
    assert (extractor.taught_by, extractor.classes, extractor.accuracy) == ("digits", 10, 0.5)


def test_stacked_features_and_logits_are_those_of_each_channel_side_by_side(
    assets: Path, images: Callable[..., Tensor]
) -> None:
    colours = images(150, seed=0, channels=3)
    grey, stacked = load_extractor("mnist-cnn"), load_extractor("stacked-mnist-cnn")
    features, logits = zip(*(grey.outputs(colours[:, c : c + 1]) for c in range(3)), strict=True)
    expected = torch.cat(features, 1), torch.cat(logits, 1)  # type: ignore[arg-type]
    torch.testing.assert_close(stacked.outputs(colours), expected, rtol=1e-4, atol=1e-5)
    assert (stacked.dim, stacked.channels, stacked.classes) == (384, (3,), 10)
    assert (stacked.digest, stacked.accuracy) == (grey.digest, grey.accuracy)
    assert stacked.taught_by == "stacked_mnist"
    check_extractor("stacked-mnist-cnn", channels=3)


def test_a_classifier_of_colours_cannot_be_stacked(assets: Path) -> None:
    save_classifier(Classifier(3, 10), assets / "photo-cnn.pt", data="photo", accuracy=0.5)
    for refuses in (lambda: check_extractor("stacked-photo-cnn", 3), lambda: load_extractor("stacked-photo-cnn")):
        with pytest.raises(EvaluationError, match="extractor=stacked-photo-cnn needs a classifier of grey images"):
            refuses()


def test_coordinates_are_the_points_themselves() -> None:
    points = torch.randn(25_000, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    extractor = load_extractor("coordinates")
    features, logits = extractor.outputs(points)
    assert torch.equal(features, points.flatten(1))
    assert logits is None
    assert extractor.taught_by is None
    assert extractor.digest == hashlib.sha256(b"coordinates").hexdigest()
    check_extractor("coordinates", channels=2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(5, 2, 1, 1, dtype=torch.uint8), "type torch.uint8 .* must be float32 N x C x H x W"),
        (torch.zeros(5, 2, 1, 1, dtype=torch.float64), "type torch.float64"),
        (torch.zeros(5, 2, 1, 1).index_fill(0, torch.tensor([1, 3]), torch.nan), "2 of 5 images hold NaN or infinity"),
        (torch.full((5, 2, 1, 1), -torch.inf), "5 of 5 images hold NaN or infinity"),
        (torch.zeros(5, 3, 1, 1), r"extractor=coordinates takes images of 2 channel\(s\), but these have 3"),
        (torch.zeros(5, 2, 2, 1), r"extractor=coordinates takes N x 2 x 1 x 1, but these are \(5, 2, 2, 1\)"),
    ],
)
def test_what_is_no_point_is_refused(wrong: Tensor, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        load_extractor("coordinates")(wrong)


def test_coordinates_have_no_weights() -> None:
    for refuses in (check_extractor, lambda name, _, path: load_extractor(name, path)):
        with pytest.raises(EvaluationError, match="extractor=coordinates has no weights, but weights=x.pt are given"):
            refuses("coordinates", 2, Path("x.pt"))


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
            r"extractor=mnst-cnn is unknown \(did you mean mnist-cnn\?\); the choices are coord",
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
    with pytest.raises(EvaluationError, match=r"mnist-cnn\.pt is not a classifier of this version") as refusal:
        check_extractor("mnist-cnn", 1)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped classifier has not been trained yet")
def test_the_shipped_classifier_is_what_the_project_promises() -> None:
    _, about = pretrained.read_classifier(SHIPPED)
    assert about["data"] == "mnist"
    assert about["accuracy"] >= 0.993
    assert SHIPPED.stat().st_size < 2_000_000
    assert load_extractor("mnist-cnn").digest == DIGEST


def test_importing_the_package_does_not_pay_for_torch_fidelity() -> None:
    code = "import sys, bench.evaluation; sys.exit('torch_fidelity' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4]).returncode == 0


def test_the_random_network_is_an_extractor_of_its_own(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (5, 1, 9, 9), dtype=torch.uint8)
    loaded = load_extractor("random-network")
    assert loaded.digest == random_network.DIGEST
    assert torch.equal(loaded(images), random_network.random_network()(images))
    check_extractor("random-network", 3)
    with pytest.raises(EvaluationError, match="random-network takes images of 1 or 3 channel"):
        check_extractor("random-network", 2)
    with pytest.raises(EvaluationError, match="random-network has no weights, but weights="):
        load_extractor("random-network", tmp_path / "w.pt")
