"""`bench extractor` writes a classifier that the evaluation can load, with the accuracy that it measured."""

import os
from pathlib import Path

import pytest

from bench.cli import main
from bench.evaluation.classifier import accuracy
from bench.evaluation.pretrained import ASSETS, read_classifier
from datamodules import DATAMODULES

FASHION = Path(os.environ.get("FASHION_MNIST_ROOT", "data/fashion_mnist"))


def test_what_it_trains_is_what_it_says(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.extractor.ASSETS", small_mnist)
    assert main(["extractor", "data=mnist"]) == 0
    model, about = read_classifier(small_mnist / "mnist-cnn.pt")
    data = DATAMODULES["mnist"]()
    data.setup()
    assert about["accuracy"] == accuracy(model, data.test_images, data.test_labels)
    assert about["accuracy"] > 0.5  # of ten classes, after 512 images
    assert f"{about['accuracy']:.2%}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "root", "share"),
    [
        ("mnist", None, 0.993),
        pytest.param(
            "fashion_mnist", FASHION, 0.93,
            marks=pytest.mark.skipif(not FASHION.is_dir(), reason="no Fashion-MNIST: set FASHION_MNIST_ROOT"),
        ),
    ],
)  # fmt: skip
def test_a_shipped_classifier_is_as_good_as_it_says(name: str, root: Path | None, share: float) -> None:
    model, about = read_classifier(ASSETS / f"{name}-cnn.pt")
    data = DATAMODULES[name](root=root) if root else DATAMODULES[name]()
    data.setup()
    assert accuracy(model, data.test_images, data.test_labels) == pytest.approx(about["accuracy"], abs=2e-4)
    assert about["accuracy"] >= share


def test_images_without_classes_are_refused(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.extractor.ASSETS", small_mnist)
    build = DATAMODULES["mnist"].setup

    def unlabelled(self: object, stage: str | None = None) -> None:
        build(self, stage)
        self.train_labels.zero_()  # type: ignore[attr-defined]

    monkeypatch.setattr(DATAMODULES["mnist"], "setup", unlabelled)
    assert main(["extractor", "data=mnist"]) == 2
    assert "no class labels" in capsys.readouterr().err
    assert not list(small_mnist.glob("*.pt"))
