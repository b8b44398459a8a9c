"""Published sets: what is missing is downloaded by torchvision, what is there is checked and never replaced."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules import DATAMODULES
from datamodules.base import DataError, Split
from datamodules.published import PublishedFiles, PublishedSet

Write = Callable[[Path, dict[str, bytes]], None]
FILES = {"a.bin": b"\1\2", "b.bin": b"\3"}


class Bytes(PublishedFiles):
    """Each byte of a.bin an image of one pixel; b.bin is held out."""

    title = "Bytes"
    source = "SVHN"
    downloads = ({"split": "train"}, {"split": "test"})
    folder = "bytes"
    files = {name: hashlib.md5(data).hexdigest() for name, data in FILES.items()}  # noqa: RUF012

    def load(self) -> tuple[Split, Split]:
        """Read both files."""
        self.check_presence()
        images = [torch.tensor(list(self.read(name)), dtype=torch.uint8)[:, None, None, None] for name in FILES]
        return Split(images[0], torch.zeros(2, dtype=torch.int64)), Split(images[1], torch.zeros(1, dtype=torch.int64))


def test_the_download_makes_each_call_once_and_is_not_repeated(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Path, dict[str, Any]]] = []

    def download_locally(root: Path, **options: Any) -> None:
        calls.append((root, options))
        write(root / "bytes", FILES)

    monkeypatch.setattr("torchvision.datasets.SVHN", download_locally)
    data = Bytes(root=str(tmp_path))
    for _ in range(2):
        data.prepare_data()
    data.setup()
    assert data.train_images.flatten().tolist() == [1, 2]
    assert calls == [(tmp_path, {"download": True, "split": split}) for split in ("train", "test")]


def test_a_damaged_file_stops_the_download_of_the_others(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.SVHN", None)
    write(tmp_path / "bytes", {"b.bin": b"other"})
    with pytest.raises(DataError, match=f"^{tmp_path}/bytes/b.bin .*has md5"):
        Bytes(root=str(tmp_path)).prepare_data()
    assert (tmp_path / "bytes" / "b.bin").read_bytes() == b"other"
    with pytest.raises(DataError, match=f"^Bytes needs the files a.bin, b.bin in {tmp_path}/bytes .* it lacks a.bin.$"):
        Bytes(root=str(tmp_path)).setup()


def test_a_failed_download_says_what_is_needed_and_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, **options: Any) -> None:
        raise RuntimeError("To download files\nfrom GDrive, 'gdown' is required.")

    monkeypatch.setattr("torchvision.datasets.SVHN", fail)
    with pytest.raises(DataError, match=r"^Bytes needs .* \(To download files from GDrive, 'gdown' is required.\).$"):
        Bytes(root=str(tmp_path)).prepare_data()


@pytest.mark.parametrize("name", [name for name in DATAMODULES if issubclass(DATAMODULES[name], PublishedSet)])
def test_every_published_set_is_a_class_of_torchvision_with_these_arguments(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision itself takes the call and looks for the same files: it fails for want of them, not of arguments."""
    from torchvision import datasets

    kind: type[PublishedSet] = DATAMODULES[name]  # type: ignore[assignment]
    theirs = getattr(datasets, kind.source)
    monkeypatch.setattr(theirs, "download", lambda self: None)
    with pytest.raises(DataError, match=r"the download failed \(Dataset not found"):
        kind(root=str(tmp_path)).prepare_data()
