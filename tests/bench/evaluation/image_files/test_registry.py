"""Every format inverts, and all give the same images of the same samples."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.digest import digest
from bench.evaluation.image_files import folder, hugging_face
from bench.evaluation.image_files.image_set import ImageSet, Shape
from bench.evaluation.image_files.registry import FOLDER, READERS, WRITERS, stem_of, suffix_of


def drawn(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def read(path: Path, shape: Shape | None) -> ImageSet:
    """Read a file or folder by the reader of its suffix."""
    if suffix_of(path) == hugging_face.SUFFIX:
        return hugging_face.read(path, shape)
    if suffix_of(path) == FOLDER:
        files = sorted(path.glob("*.png"))
        return ImageSet(folder.read_images(files, shape))
    return READERS[suffix_of(path)](path, shape, None)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("labelled", [False, True], ids=["plain", "labelled"])
@pytest.mark.parametrize("shape", [(1, 9, 7), (3, 7, 9)], ids=["grey", "colours"])
def test_what_is_written_is_read_again(suffix: str, labelled: bool, shape: Shape, tmp_path: Path) -> None:
    if suffix == hugging_face.SUFFIX:
        pytest.importorskip("datasets")
    images, labels = drawn(12, *shape), torch.arange(12).flip(0) if labelled else None
    path = tmp_path / f"samples{suffix}"
    WRITERS[suffix](images, labels, path)
    for asked in (shape, None):
        found = read(path, asked)
        assert found.images.is_contiguous()
        assert digest({"images": found.images}) == digest({"images": images})
        assert bool(found.left_out) == (labelled and suffix != FOLDER)  # whose reader is given the images alone
    assert {file.name for file in tmp_path.iterdir()} <= {path.name, "samples.labels.npy"}  # and nothing temporary


def test_labels_are_written_as_each_format_has_them(tmp_path: Path) -> None:
    images, labels = drawn(3, 1, 8, 8), torch.tensor([7, 0, 5])
    for suffix in (FOLDER, ".npz", ".npy", ".tar"):
        WRITERS[suffix](images, labels, tmp_path / f"s{suffix}")
    listed = json.loads((tmp_path / "s" / folder.LABELS).read_text())["labels"]
    assert listed == [["000000.png", 7], ["000001.png", 0], ["000002.png", 5]]
    assert np.load(tmp_path / "s.npz")["arr_1"].tolist() == [7, 0, 5]
    assert np.load(tmp_path / "s.labels.npy").tolist() == [7, 0, 5]
    with tarfile.open(tmp_path / "s.tar") as archive:
        texts = [archive.extractfile(f"{number:06}.cls") for number in range(3)]
        assert [text.read() for text in texts if text] == [b"7", b"0", b"5"]


def test_labels_are_a_column_of_hugging_faces(tmp_path: Path) -> None:
    package = pytest.importorskip("datasets")
    hugging_face.write(drawn(3, 1, 8, 8), torch.tensor([7, 0, 5]), tmp_path / "s.hf")
    assert package.load_from_disk(str(tmp_path / "s.hf"))["label"][:] == [7, 0, 5]


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in (".tar.gz", ".tgz", ".hf")])
def test_equal_samples_give_equal_files(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        WRITERS[suffix](drawn(3, 1, 8, 8), torch.arange(3), path)
    a, b = (sorted(path.iterdir()) if path.is_dir() else [path] for path in paths)
    assert [file.read_bytes() for file in a] == [file.read_bytes() for file in b]


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_writer_that_fails_leaves_nothing(suffix: str, tmp_path: Path) -> None:
    if suffix == hugging_face.SUFFIX:
        pytest.importorskip("datasets")
    no_values = torch.zeros(3, 1, 8, 8, dtype=torch.uint8, device="meta")
    with pytest.raises((TypeError, RuntimeError)):
        WRITERS[suffix](no_values, None, tmp_path / f"samples{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("a.npz", ".npz", "a"), ("A.NPZ", ".npz", "A"), ("a.tar.gz", ".tar.gz", "a"), ("a.b.tar", ".tar", "a.b"),
        ("a.tgz", ".tgz", "a"), ("a", FOLDER, "a"), ("a.zip", ".zip", "a.zip"), ("a.gz", ".gz", "a.gz"),
    ],
)  # fmt: skip
def test_the_longest_known_suffix_is_the_formats(name: str, suffix: str, stem: str) -> None:
    assert (suffix_of(Path(name)), stem_of(Path(name))) == (suffix, stem)
