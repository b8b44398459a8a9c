"""Folders that the library `datasets` has saved; without it, the sentence says how to get it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files import hugging_face
from bench.evaluation.image_files.lossless import encode


def drawn(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_without_the_library_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EvaluationError, match="needs the package datasets: pip install datasets"):
        hugging_face.read(tmp_path, (1, 8, 8))


def test_a_folder_is_recognised_by_its_files(tmp_path: Path) -> None:
    assert not hugging_face.is_dataset(tmp_path)
    (tmp_path / "dataset_info.json").touch()
    assert not hugging_face.is_dataset(tmp_path)
    (tmp_path / "state.json").touch()
    assert hugging_face.is_dataset(tmp_path)


def saved(folder: Path, columns: dict[str, Any], features: dict[str, Any] | None = None) -> Path:
    package = pytest.importorskip("datasets")
    chosen = {name: package.Image() for name in columns if name.startswith("im")} | (features or {})
    chosen |= {name: package.Value("int64") for name in columns if name not in chosen}
    package.Dataset.from_dict(columns, features=package.Features(chosen)).save_to_disk(str(folder))
    return folder


def test_what_the_library_itself_encodes_is_read(tmp_path: Path) -> None:
    images = drawn(4, 3, 6, 5)
    arrays = [image.permute(1, 2, 0).numpy() for image in images]
    found = hugging_face.read(saved(tmp_path / "d", {"img": arrays, "labels": [3, 1, 0, 2], "n": [0] * 4}), (3, 6, 5))
    assert torch.equal(found.images, images)
    assert found.left_out == "left out labels, n"


def test_several_splits_are_named(tmp_path: Path) -> None:
    package = pytest.importorskip("datasets")
    split = package.Dataset.from_dict({"n": [1]})
    package.DatasetDict(train=split, test=split).save_to_disk(str(tmp_path / "d"))
    with pytest.raises(EvaluationError, match="d holds several splits; name the folder of one: test, train"):
        hugging_face.read(tmp_path / "d", (1, 8, 8))


def jpeg() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "JPEG")
    return file.getvalue()


GOOD = encode(torch.zeros(1, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": [1]}, "holds no column of images among label; keep one, or name it image"),
        ({"im1": [GOOD], "im2": [GOOD]}, "holds 2 columns of images \\(im1, im2\\) among im1, im2"),
        ({"image": []}, "(holds no images|cannot be read)"),
        ({"image": [GOOD, jpeg()]}, "d:1 is in none of BMP, PNG, TIFF; save it without loss"),
        ({"image": [encode(torch.zeros(1, 8, 9, dtype=torch.uint8))]}, "d:0 is 8 x 9 pixels"),
        ({"image": [GOOD[:-30]]}, "d:0 cannot be decoded"),
        ({"image": [None]}, "d:0 is in none of"),
    ],
)
def test_what_it_may_not_hold_is_named(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    stored = {
        name: [part and {"bytes": part, "path": None} for part in parts] if name.startswith("im") else parts
        for name, parts in columns.items()
    }
    with pytest.raises(EvaluationError, match=f"images=.*{said}") as refusal:
        hugging_face.read(saved(tmp_path / "d", stored), (1, 8, 8))
    assert "\n" not in str(refusal.value)


def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "d", {"image": [{"bytes": GOOD, "path": None}]})
    next(folder.glob("*.arrow")).unlink()
    with pytest.raises(EvaluationError, match="d cannot be read: "):
        hugging_face.read(folder, (1, 8, 8))
