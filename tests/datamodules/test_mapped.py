"""Images that are mapped from a file are those in memory, bit for bit, and are decoded again when they change."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.reference import reference
from datamodules import mapped
from datamodules.base import DataError
from datamodules.image_folder import ImageFolder
from tests.shapes import write_shapes

Load = Callable[..., ImageFolder]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return write_shapes(tmp_path / "shapes", 60, side=9)


@pytest.fixture
def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """A function: whether the images are mapped, and settings -> the folder as it is loaded."""

    def loaded(from_file: bool = True, **settings: Any) -> ImageFolder:
        monkeypatch.setattr(mapped, "SHARE", 0.0 if from_file else 1.0)
        usual: dict[str, Any] = {"size": 8, "classes": "folders", "batch_size": 7}
        data = ImageFolder(root=str(folder), **usual | settings)
        data.setup()
        return data

    return loaded


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home/.cache/generative-trilemma/images").glob("*.images"))


def test_batches_digests_and_reference_features_are_those_of_memory(load: Load, tmp_path: Path) -> None:
    memory, file = load(False), load()
    assert len(files(tmp_path)) == 1
    for split in ("train", "test"):
        assert memory.digest(split) == file.digest(split)
    assert file.train_images.is_contiguous()
    assert torch.equal(memory.test_images, file.test_images)
    streams = zip(memory.train_dataloader(), file.train_dataloader(), strict=True)
    for _, (expected, found) in zip(range(20), streams, strict=False):  # two epochs and a half
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))
    features = [reference(data.train_images, random_network()) for data in (memory, file)]
    assert torch.equal(features[0].features, features[1].features)
    assert features[0].digest == features[1].digest


def test_a_folder_is_decoded_once_and_again_when_it_has_changed(
    load: Load, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load()
    (file,) = files(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(mapped, "write", lambda *_: pytest.fail("decoded again"))
        assert load().digest("train") == first.digest("train")
    changed = sorted(folder.rglob("*.png"))[3]
    Image.new("RGB", (9, 9), (1, 2, 3)).save(changed)
    os.utime(changed, ns=(1, 1))
    second = load()
    assert second.digest("train") + second.digest("test") != first.digest("train") + first.digest("test")
    assert [second.digest(split) for split in ("train", "test")] == [load(False).digest(s) for s in ("train", "test")]
    (again,) = files(tmp_path)  # the old file is gone, and whoever mapped it keeps its images
    assert again != file
    assert first.train_images.sum() > 0


def test_each_size_and_split_has_a_file_of_its_own(load: Load, tmp_path: Path) -> None:
    for settings in ({"size": 8}, {"size": 4}, {"size": 8, "classes": "none"}):
        load(**settings)
    assert len(files(tmp_path)) == 3


def test_a_note_says_where_they_are(load: Load, tmp_path: Path) -> None:
    assert [note for note in load().notes if "mapped" in note] == [
        f"0.0 GB of decoded images are mapped from {files(tmp_path)[0]}"
    ]
    assert not [note for note in load(False).notes if "mapped" in note]


def test_a_stop_while_decoding_leaves_no_file(load: Load, folder: Path, tmp_path: Path) -> None:
    broken = sorted(folder.rglob("*.png"))[-1]
    content = broken.read_bytes()
    broken.write_bytes(content[:-30])
    with pytest.raises(DataError, match="cannot be decoded"):
        load()
    assert files(tmp_path) == []
    broken.write_bytes(content)
    load()
    assert len(files(tmp_path)) == 1


def test_a_disk_without_room_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("datamodules.mapped.shutil.disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"decoded images take 0.0 GB, but 0.0 GB are free here; free some, set HOME"):
        load()


def test_a_folder_that_cannot_be_made_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(DataError, match=r"decoded images cannot be kept here \(Not a directory\)"):
        load()


def test_there_is_memory_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mapped.available_memory() > 2**20
    monkeypatch.setattr(Path, "read_text", lambda _: (_ for _ in ()).throw(OSError))
    assert mapped.available_memory() > 2**20
