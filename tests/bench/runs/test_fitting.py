"""What images of the user's own decide: the extractor, the number of samples, and what is said of both."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import Config, Plugin
from bench.evaluation.features import classifier
from bench.evaluation.features.registry import known_extractors, load_extractor
from bench.results.records import read_all
from bench.runs import fitting
from bench.runs.build import build_data, data_name, print_once
from bench.runs.context import modes
from bench.runs.fitting import choose_extractor, description, fit_evaluation
from datamodules.base import ImageDataModule
from tests.shapes import write_shapes

TINY = ["model=vae", "model.width=4", "model.hidden=16", "train.images=64", "train.batch=32"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Classifiers of a few steps in a cache of the test's own, and every sentence is said again."""
    monkeypatch.setattr(classifier, "LEAST_STEPS", 4)
    monkeypatch.setattr("bench.evaluation.features.weights.cache_folder", lambda: tmp_path / "extractors")
    monkeypatch.setattr("bench.runs.context.CACHE", tmp_path / "features")
    monkeypatch.chdir(tmp_path)
    print_once.cache_clear()


def of_folder(folder: Path, *words: str) -> tuple[Config, ImageDataModule]:
    (config,) = load([*TINY, "data=image_folder", f"data.root={folder}", "data.size=8", *words])
    return config, build_data(config)


def test_enough_images_of_each_class_teach_a_classifier_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_shapes(tmp_path / "shapes", 90, side=8)
    config, data = of_folder(folder, "data.classes=folders")
    name = choose_extractor(config, data)
    assert name == f"image_folder-{data.digest('train')[:8]}-cnn"
    assert name in known_extractors()
    monkeypatch.setattr(fitting, "train_classifier", lambda *_, **__: pytest.fail("trained again"))
    assert choose_extractor(config, data) == name


@pytest.mark.parametrize("classes", [1, 30])
@pytest.mark.parametrize(("device", "files"), [("cpu", True), ("cuda", False), ("cuda", True)])
def test_without_such_classes_the_machine_decides(
    classes: int, device: str, files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 90, side=8, classes=classes), "data.classes=none")
    data.train_labels = torch.arange(len(data.train_images)) % classes
    monkeypatch.setattr(fitting, "sampling_device", lambda _: torch.device(device))
    monkeypatch.setattr(fitting, "inception_files", lambda: [Path("weights")] if files else [])
    chosen = choose_extractor(config, data)
    assert chosen == ("inception-v3" if device == "cuda" and files else "random-network")
    text = fitting.about_extractor(chosen, data)
    assert ("20 images of each of the 30 classes" in text) == (chosen == "random-network" and classes == 30)


@pytest.mark.parametrize(
    ("words", "samples", "extractor"),
    [
        ([], 81, "random-network"),
        (["preset=smoke", "evaluation.extractor=inception-v3"], 81, "inception-v3"),
        (["evaluation.samples=40"], 40, "random-network"),
        (["evaluation.samples=400"], 400, "random-network"),
    ],
)
def test_samples_are_at_most_the_training_images_unless_they_are_typed(
    words: list[str], samples: int, extractor: str, tmp_path: Path
) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 101, side=8, classes=1), *words)
    chosen = fit_evaluation(config, data)
    assert (chosen.evaluation.samples, chosen.evaluation.extractor) == (samples, extractor)
    assert chosen.model_dump(exclude={"evaluation"}) == config.model_dump(exclude={"evaluation"})


def test_the_paragraph_names_what_was_chosen_and_nothing_that_was_typed(tmp_path: Path) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 101, side=8, classes=1))
    said = "\n".join(description(fit_evaluation(config, data), data))
    for words in (
        "81 images to train on and 20 held out, 3 x 8 x 8, no classes", "evaluation.extractor=random-network: ",
        "evaluation.samples=81: ", "not with figures of papers", "figures of 20 held-out images: few",
    ):  # fmt: skip
        assert words in said
    config, data = of_folder(tmp_path / "s", "evaluation.samples=50", "evaluation.extractor=random-network")
    said = "\n".join(description(fit_evaluation(config, data), data))
    assert "chosen" not in said
    assert "evaluation.samples" not in said


def test_a_folder_is_trained_on_evaluated_and_then_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shapes(tmp_path / "s", 23, side=8, classes=1)  # the fewest
    words = ["train", *TINY, "data=image_folder", "data.root=s", "data.size=8", "results=r"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert said.count("15 images to train on and 8 held out") == 1
    (record,) = [record for record in read_all(Path("r")) if record.family != "data"]
    stated: dict[str, Any] = next(iter(record.results.values())).protocol
    assert (stated["extractor"], stated["samples"]) == ("random-network", 15)
    assert record.config["evaluation"]["extractor"] == "random-network"
    assert main(words) == 0
    assert "is trained and evaluated, nothing to do" in capsys.readouterr().err


def test_too_many_samples_are_refused_before_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shapes(tmp_path / "s", 50, side=8, classes=1)
    words = ["data=image_folder", "data.root=s", "data.size=8", "results=r", "evaluation.samples=34"]
    assert main(["train", *TINY, *words]) == 2
    said = capsys.readouterr().err
    assert "evaluation.samples=34: more than the 33 training images of data=image_folder; set" in said
    assert not Path("r").exists()


def test_each_folder_has_an_extractor_of_its_own_whose_classes_are_modes_of_it_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [write_shapes(tmp_path / f"s{count}", count, side=8) for count in (90, 93)]
    names = []
    for folder in folders:
        assert (
            main(["extractor", "data=image_folder", f"data.root={folder}", "data.size=8", "data.classes=folders"]) == 0
        )
        names.append(re.findall(r"evaluation.extractor=(\S+)", capsys.readouterr().err)[-1])
    assert len({*names} & {*known_extractors()}) == 2
    found = [of_folder(folder, "data.classes=folders") for folder in folders]
    assert names == [f"{data_name(config, data)}-cnn" for config, data in found]
    for config, data in found:
        counted = [modes(data, data_name(config, data), load_extractor(name)) for name in names]
        own = names.index(f"{data_name(config, data)}-cnn")
        assert [each is not None for each in counted] == [number == own for number in range(2)]


def test_the_name_has_a_digest_where_it_does_not_tell_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 60, side=8, classes=1))
    assert data_name(config, data) == f"image_folder-{data.digest('train')[:8]}"
    monkeypatch.setattr(type(data), "own", False)
    assert data_name(config, data) == "image_folder"
    plugged = config.model_copy(update={"plugins": {"data": Plugin(place="m:C", sources={})}})
    assert data_name(plugged, data) == f"image_folder-{data.digest('train')[:8]}"


def test_a_typed_auto_is_chosen_and_said_for_any_data(tmp_path: Path) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 60, side=8, classes=1), "evaluation.extractor=auto")
    chosen = fit_evaluation(config.model_copy(update={"fitted": []}), data)
    assert (chosen.evaluation.extractor, chosen.evaluation.samples) == ("random-network", 2000)
    assert "evaluation.extractor=random-network: " in "\n".join(description(chosen, data))


@pytest.mark.parametrize(("seen", "epochs"), [(10**9, 8), (80 * 5, 5), (80, 1), (1, 1)])
def test_a_classifier_of_a_large_set_is_taught_for_minutes_only(
    seen: int, epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = of_folder(write_shapes(tmp_path / "s", 101, side=8), "data.classes=folders")
    assert len(data.train_images) == 80
    monkeypatch.setattr(fitting, "SEEN", seen)
    taught: list[int] = []
    monkeypatch.setattr(fitting, "train_classifier", lambda *_, epochs, **__: taught.append(epochs) or "x-cnn")
    assert choose_extractor(config, data) == "x-cnn"
    assert taught == [epochs]
