"""CelebA: the official partition, and the centre squares of the images it names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CelebA as theirs

from datamodules import mapped
from datamodules.base import DataError
from datamodules.celeba import IMAGES, PARTITION, CelebA
from tests.datamodules.conftest import md5

Write = Callable[[Path, dict[str, bytes]], None]
PARTS = "001202"  # of the images 000001.jpg, 000002.jpg, ...


def test_the_table_is_torchvisions() -> None:
    assert CelebA.files.items() <= {name: digest for _, digest, name in theirs.file_list}.items()
    assert CelebA.folder == theirs.base_folder


@pytest.fixture
def folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The set's folder with six images, 178 x 218, and their partition."""
    folder = tmp_path / "celeba"
    (folder / IMAGES).mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for number, part in enumerate(PARTS, start=1):
        name = f"{number:06}.jpg"
        Image.fromarray(rng.integers(0, 256, (218, 178, 3), dtype=np.uint8)).save(folder / IMAGES / name)
        lines.append(f"{name} {part}\n")
    partition = "".join(lines).encode()
    write(folder, {PARTITION: partition})
    monkeypatch.setattr(CelebA, "files", {PARTITION: md5(partition)})
    return folder


def test_the_validation_images_are_left_out_and_the_centre_is_scaled(folder: Path) -> None:
    for size in (178, 32):
        data = CelebA(root=str(folder.parent), size=size)
        data.prepare_data()
        data.setup()
        for images, numbers in ((data.train_images, (1, 2, 5)), (data.test_images, (4, 6))):
            faces = [Image.open(folder / IMAGES / f"{number:06}.jpg") for number in numbers]
            squares = [face.resize((size, size), Image.Resampling.LANCZOS, box=(0, 20, 178, 198)) for face in faces]
            expected = torch.from_numpy(np.stack([np.array(square) for square in squares])).permute(0, 3, 1, 2)
            assert torch.equal(images, expected)
        assert data.train_labels.tolist() == [0, 0, 0]


def test_mapped_images_are_those_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for share in (1.0, 0.0):
        monkeypatch.setenv("HOME", str(folder.parent / "home"))
        monkeypatch.setattr(mapped, "SHARE", share)
        data = CelebA(root=str(folder.parent), size=8)
        data.setup()
        digests.append([data.digest(split) for split in ("train", "test")])
        assert len(data.notes) == (share == 0)
    assert digests[0] == digests[1]


def test_missing_images_are_counted_and_a_missing_folder_is_named(folder: Path) -> None:
    for number in (2, 3, 4):
        (folder / IMAGES / f"{number:06}.jpg").unlink()
    with pytest.raises(DataError, match=f"^{folder}/{IMAGES} lacks 2 of the images of .*, the first 000002.jpg.$"):
        CelebA(root=str(folder.parent)).setup()
    (folder / IMAGES).rename(folder / "elsewhere")
    with pytest.raises(DataError, match=f"^CelebA needs the files {PARTITION}, {IMAGES} .* it lacks {IMAGES}.$"):
        CelebA(root=str(folder.parent)).setup()
