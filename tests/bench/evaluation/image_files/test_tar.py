"""Tars of images: a shard of a webdataset, a folder packed in any order, and archives that are refused."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.folder import read_images
from bench.evaluation.image_files.tar import read

Member = tuple[str, bytes]


def png(value: int, size: tuple[int, ...] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def pack(path: Path, members: Sequence[Member], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_images_come_in_the_order_of_a_folders_whatever_their_labels(mode: str, tmp_path: Path) -> None:
    members = [("b/1.png", png(3)), ("b/1.cls", b"30\n"), ("10.cls", b"10"), ("10.png", png(1)), ("2.png", png(2)),
               ("2.cls", b"cat"), ("no.cls", b"1")]  # fmt: skip
    found = read(pack(tmp_path / "a.tar", members, mode), (1, 8, 8))
    assert found.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert found.left_out == "left out 4 .cls"
    for name, content in members:
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_bytes(content)
    assert torch.equal(found.images, read_images(sorted((tmp_path / "f").rglob("*.png")), (1, 8, 8)))


def test_a_folder_packed_as_it_stands_is_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", [("./x.png", png(5)), ("./._x.png", b"\0"), ("./x.json", b"{}"), ("./README", b"")])
    with tarfile.open(path, "a") as archive:
        folder, link = tarfile.TarInfo("./deep"), tarfile.TarInfo("./y.png")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "x.png"
        archive.addfile(folder)
        archive.addfile(link)
    found = read(path, None)
    assert found.images.shape == (1, 1, 8, 8)
    assert found.left_out == "left out 1 .json, 1 hidden, 1 no regular files, 1 without ending"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "a.tar holds no .png, .bmp, .tif, .tiff file \\(it is empty\\); save the samples as 8-bit PNG"),
        ([("a.jpg", b""), ("b.npy", b"")], "\\(left out 1 .jpg, 1 .npy; lossy files have other pixels"),
        ([("a.png", png(0)), ("./a.png", png(1))], "a.tar holds a.png twice; pack each image once"),
        ([("a.png", png(0)), ("b.png", png(0, (8, 9)))], "a.tar:b.png is 8 x 9 pixels, but the data is 8 x 8"),
        ([("a.png", png(0, (8, 8, 4)))], "a.tar:a.png has an alpha channel"),
        ([("a.png", b"text")], "a.tar:a.png is not a PNG file"),
        ([("a.png", png(0)[:-30])], "a.tar:a.png cannot be decoded"),
    ],
)
def test_what_an_archive_may_not_hold_is_named(members: list[Member], said: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=f"images=.*{said}") as refusal:
        read(pack(tmp_path / "a.tar", members), (1, 8, 8))
    assert "\n" not in str(refusal.value)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", [(f"{i}.png", png(i)) for i in range(3)])
    with tarfile.open(path) as archive:
        second = archive.getmember("1.png").offset
    content = bytearray(path.read_bytes())
    content[second + 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match="a.tar cannot be read: it is cut off or damaged"):
        read(path, (1, 8, 8))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_an_archive_that_is_cut_off_is_refused(share: float, mode: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    path = pack(tmp_path / "a.tar", [(f"{i}.png", file.getvalue()) for i in range(8)], mode)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(EvaluationError, match="a.tar cannot be read") as refusal:
        read(path, (1, 64, 64))
    assert "\n" not in str(refusal.value)
