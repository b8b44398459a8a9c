"""`bench extractor` writes a classifier that the evaluation can load, with the accuracy that it measured."""

import os
import shutil
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import classifier
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import accuracy
from bench.evaluation.features.registry import known_extractors, load_extractor
from bench.evaluation.features.weights import ASSETS, cache_folder, read_classifier
from datamodules import DATAMODULES
from datamodules.base import ImageDataModule, Split

FOLDER = Path("generative-trilemma") / "extractors"
FASHION = Path(os.environ.get("FASHION_MNIST_ROOT", "data/fashion_mnist"))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's cache, which the other tests do not see."""
    monkeypatch.setattr(pretrained, "cache_folder", cache_folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(classifier, "LEAST_STEPS", 32)
    return tmp_path / "xdg" / FOLDER


def test_what_it_trains_is_what_it_says_and_is_kept_in_the_users_cache(
    small_mnist: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped, digest = {file: file.read_bytes() for file in ASSETS.iterdir()}, load_extractor("mnist-cnn").digest
    assert main(["extractor", "data=mnist"]) == 0
    assert {file: file.read_bytes() for file in ASSETS.iterdir()} == shipped
    model, about = read_classifier(cache / "mnist-cnn.pt")
    data = DATAMODULES["mnist"]()
    data.setup()
    assert about["accuracy"] == accuracy(model, data.test_images, data.test_labels)
    assert about["accuracy"] > 0.5  # of ten classes, after 512 images
    said = capsys.readouterr().err
    assert f"{about['accuracy']:.2%}" in said
    assert f"{cache}/mnist-cnn.pt" in said
    assert "replaces the mnist-cnn that is shipped" in said
    assert load_extractor("mnist-cnn").digest != digest  # which the protocol holds
    (cache / "mnist-cnn.pt").unlink()
    assert load_extractor("mnist-cnn").digest == digest


def test_what_the_user_trained_is_known_beside_what_ships(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    cache.mkdir(parents=True)
    shutil.copy(ASSETS / "mnist-cnn.pt", cache / "digits-cnn.pt")
    (cache / "._digits-cnn.pt").touch()
    assert {"digits-cnn", "stacked-digits-cnn", "mnist-cnn"} <= set(known_extractors())
    assert not [name for name in known_extractors() if "._" in name]
    assert load_extractor("digits-cnn").digest == load_extractor("mnist-cnn").digest
    assert main(["list", "extractors"]) == 0
    assert str(cache) in capsys.readouterr().out


def test_the_cache_is_xdgs_or_the_homes_or_none(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == cache
    for setting in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", setting)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert cache_folder() == tmp_path / "home" / ".cache" / FOLDER

    def nobody(kind: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nobody))
    with pytest.raises(EvaluationError, match="no home folder is known here; set XDG_CACHE_HOME"):
        cache_folder()
    assert "mnist-cnn" in known_extractors()


def test_a_cache_that_cannot_be_written_is_refused_before_the_training(
    small_mnist: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.runs.extractor.train", lambda *_, **__: pytest.fail("trained in vain"))
    cache.parent.mkdir(parents=True)
    cache.touch()  # a file where the folder should be: refused to root as well
    assert main(["extractor", "data=mnist"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"bench: {cache}: extractors are kept here, but it cannot be written to (File exists)")
    assert "set XDG_CACHE_HOME" in said


def test_the_classifier_that_ships_is_right_on_mnists_held_out_digits(few_digits: tuple[Split, Split]) -> None:
    model, about = read_classifier(ASSETS / "mnist-cnn.pt")
    assert accuracy(model, few_digits[1].images, few_digits[1].labels) == pytest.approx(about["accuracy"], abs=0.01)
    assert about["accuracy"] >= 0.993


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
@pytest.mark.slow  # 10,000 images
def test_a_shipped_classifier_is_as_good_as_it_says(name: str, root: Path | None, share: float) -> None:
    model, about = read_classifier(ASSETS / f"{name}-cnn.pt")
    data = DATAMODULES[name](root=str(root)) if root else DATAMODULES[name]()
    data.setup()
    assert accuracy(model, data.test_images, data.test_labels) == pytest.approx(about["accuracy"], abs=2e-4)
    assert about["accuracy"] >= share


def test_images_without_classes_are_refused(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = DATAMODULES["mnist"].setup

    def unlabelled(self: ImageDataModule, stage: str | None = None) -> None:
        build(self, stage)
        self.train_labels.zero_()

    monkeypatch.setattr(DATAMODULES["mnist"], "setup", unlabelled)
    assert main(["extractor", "data=mnist"]) == 2
    assert "no class labels" in capsys.readouterr().err
    assert not list(small_mnist.rglob("*.pt"))
