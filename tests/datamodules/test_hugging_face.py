"""Data sets of Hugging Face's library, made here as parquet files, as saved folders and as folders of images."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import mapped
from datamodules.base import DataError
from datamodules.hugging_face import HuggingFace
from datamodules.image_folder import ImageFolder
from tests.shapes import SHAPES, write_shapes

package = pytest.importorskip("datasets")
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
CLASSES = [number % 2 for number in range(40)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The library's cache is the test's own, and nothing is looked up in a network."""
    monkeypatch.setattr(package.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(package.config, "HF_HUB_OFFLINE", True)
    package.disable_progress_bars()
    return tmp_path


def rows(pixels: np.ndarray = PIXELS, **columns: Any) -> Any:
    """A table of images in the column `image`; columns: name -> (feature, values)."""
    features = {"image": package.Image()} | {name: feature for name, (feature, _) in columns.items()}
    values = {"image": [Image.fromarray(image) for image in pixels]} | {name: v for name, (_, v) in columns.items()}
    return package.Dataset.from_dict(values, features=package.Features(features))


def labels(kind: Any, values: list[Any]) -> dict[str, Any]:
    return {"label": (kind, values)}


def parquet(folder: Path, **splits: Any) -> Path:
    folder.mkdir()
    for name, table in splits.items():
        table.to_parquet(str(folder / f"{name}-00000-of-00001.parquet"))
    return folder


def load(dataset: Path, **settings: Any) -> HuggingFace:
    data = HuggingFace(dataset=str(dataset), **({"size": 8} | settings))
    data.prepare_data()
    data.setup()
    return data


def test_parquet_and_a_saved_folder_and_a_folder_of_images_are_the_same(home: Path) -> None:
    table = rows(**labels(package.ClassLabel(names=["a", "b"]), CLASSES))
    table.save_to_disk(str(home / "saved"))
    package.DatasetDict(train=table).save_to_disk(str(home / "several"))
    for number, image in enumerate(PIXELS):
        place = home / "images" / "ab"[CLASSES[number]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02}.png")
    found = [
        load(place, label="label") for place in (parquet(home / "p", train=table), home / "saved", home / "several")
    ]
    assert len({data.digest("train") for data in found}) == len({data.digest("test") for data in found}) == 1
    train, test = (set(map(bytes, part.numpy())) for part in (found[0].train_images, found[0].test_images))
    stored = {bytes(image.transpose(2, 0, 1).copy()): k for k, image in zip(CLASSES, PIXELS, strict=True)}
    assert (train | test, train & test) == (set(stored), set())
    for images, numbers in (
        (found[0].train_images, found[0].train_labels),
        (found[0].test_images, found[0].test_labels),
    ):
        assert [stored[bytes(image)] for image in images.numpy()] == numbers.tolist()
    assert load(home / "images", label="label").train_labels.bincount().tolist() == [13, 13]


def test_it_is_what_an_image_folder_of_the_same_files_is(home: Path) -> None:
    write_shapes(home / "shapes", 60, side=8)
    folder = ImageFolder(root=str(home / "shapes"), size=8, classes="folders")
    folder.setup()
    data = load(home / "shapes", label="label")
    assert {data.digest(split) for split in ("train", "test")} == {folder.digest(split) for split in ("train", "test")}
    assert data.notes == [f"data.label=label: 3 classes: {', '.join(SHAPES)}"]


def test_the_held_out_split_is_the_named_one_and_others_are_named(home: Path) -> None:
    folder = parquet(home / "p", train=rows(PIXELS[:30]), test=rows(PIXELS[30:36]), validation=rows(PIXELS[36:]))
    data = load(folder, held_out="test")
    for images, expected in ((data.train_images, PIXELS[:30]), (data.test_images, PIXELS[30:36])):
        assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), expected)
    assert data.notes == [f"data.dataset={folder}: splits that are not read: validation"]
    (note,) = load(folder).notes
    assert "not read: validation, test; data.held_out=test would hold out its images" in note


@pytest.mark.parametrize(
    ("kind", "values", "names"),
    [
        (package.Value("int64"), [3 + 7 * k for k in CLASSES], ["3", "10"]),
        (package.Value("string"), ["dog" if k else "cat" for k in CLASSES], ["cat", "dog"]),
        (package.Value("bool"), [bool(k) for k in CLASSES], ["False", "True"]),
        (package.ClassLabel(names=["z", "a"]), CLASSES, ["z", "a"]),
    ],
)
def test_classes_are_numbered_from_class_labels_numbers_or_texts(
    kind: Any, values: list[Any], names: list[str], home: Path
) -> None:
    data = load(parquet(home / "p", train=rows(**labels(kind, values))), label="label")
    assert data.notes == [f"data.label=label: 2 classes: {', '.join(names)}"]
    assert sorted(torch.cat([data.train_labels, data.test_labels]).tolist()) == sorted(CLASSES)
    assert not load(home / "p").train_labels.any()


def test_classes_that_nobody_named_are_noted(home: Path) -> None:
    folder = parquet(home / "p", train=rows(**labels(package.ClassLabel(names=["a", "b"]), CLASSES)))
    assert load(folder).notes == [f"data.dataset={folder} has classes; set data.label=label to use them"]


def test_mapped_images_are_those_in_memory_and_change_with_the_data(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home / "home"))
    memory = load(parquet(home / "p", train=rows()))
    monkeypatch.setattr(mapped, "SHARE", 0.0)
    assert load(home / "p").digest("train") == memory.digest("train")
    (file,) = (home / "home").rglob("*.images")
    parquet(home / "q", train=rows(PIXELS[::-1]))
    (home / "p" / "train-00000-of-00001.parquet").unlink()
    (home / "q" / "train-00000-of-00001.parquet").rename(home / "p" / "train-00000-of-00001.parquet")
    assert load(home / "p").digest("train") != memory.digest("train")
    assert not file.exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split": "all"}, "data.split=all: data.dataset=.* has the splits train.$"),
        ({"held_out": "test"}, "data.held_out=test: data.dataset=.* has the splits train.$"),
        ({"image": "img"}, "data.image=img: the images of .* are in image; its columns are image, label, n.$"),
        ({"label": "class"}, "data.label=class: the columns of .* beside its images are label, n.$"),
        ({"label": "n"}, "data.label=n: 1 of 40 images have no class.$"),
        ({"label": "image"}, "data.label=image: the columns of .* beside its images are label, n.$"),
        ({"config": "no", "dataset": "/nowhere/x"}, "data.dataset=/nowhere/x cannot be loaded: "),
    ],
)
def test_what_the_data_set_does_not_have_is_named(settings: dict[str, str], said: str, home: Path) -> None:
    columns: dict[str, Any] = {
        "label": (package.Value("int64"), CLASSES),
        "n": (package.Value("int64"), [*CLASSES[:39], None]),
    }
    folder = parquet(home / "p", train=rows(**columns))
    with pytest.raises(DataError, match=f"^{said}") as refusal:
        load(**({"dataset": folder} | settings))  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_without_a_network_the_sentence_says_what_to_do(home: Path) -> None:
    with pytest.raises(DataError, match=r"^data.dataset=no-one/nothing .*data.dataset=DIR, or run .* a network.$"):
        load(Path("no-one/nothing"))


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="data=hugging_face needs the package datasets: pip install datasets"):
        HuggingFace(dataset="x").prepare_data()


def test_an_image_that_cannot_be_decoded_is_named_by_its_row(home: Path) -> None:
    table = package.Dataset.from_dict(
        {"image": [{"bytes": b"no image", "path": None}] * 3}, features=package.Features(image=package.Image())
    )
    with pytest.raises(DataError, match=r"row \d cannot be decoded"):
        load(parquet(home / "p", train=table))
