"""NumPy's files as guided diffusion writes them; what a user may have saved instead is named with its remedy."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files import arrays
from bench.evaluation.image_files.arrays import read_npy, read_npz


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


GREY, COLOURS = noise(6, 9, 8, 1), noise(6, 9, 8, 3)


def test_what_numpys_savez_writes_is_read_compressed_or_not(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", COLOURS, np.arange(6))  # guided diffusion's call
    np.savez_compressed(tmp_path / "b.npz", arr_0=COLOURS, arr_1=np.arange(6))
    for name in ("a.npz", "b.npz"):
        found = read_npz(tmp_path / name, (3, 9, 8))
        assert np.array_equal(found.images.permute(0, 2, 3, 1).numpy(), COLOURS)
        assert found.left_out == "left out arr_1"


def test_images_that_fill_several_parts_come_whole_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "PART", 2 * 9 * 8 * 3 + 5)
    np.save(tmp_path / "a.npy", COLOURS[:5])
    seen: list[Any] = []
    found = read_npy(tmp_path / "a.npy", (3, 9, 8), lambda *args: seen.append(args))
    assert np.array_equal(found.images.permute(0, 2, 3, 1).numpy(), COLOURS[:5])
    assert seen == [("reading", 2, 5), ("reading", 4, 5), ("reading", 5, 5)]


def test_grey_images_need_no_axis_of_channels_and_equal_channels_are_grey(tmp_path: Path) -> None:
    for stored in (GREY, GREY[..., 0], np.repeat(GREY, 3, axis=3)):
        np.save(tmp_path / "a.npy", stored)
        assert np.array_equal(read_npy(tmp_path / "a.npy", (1, 9, 8)).images[:, 0].numpy(), GREY[..., 0])


@pytest.mark.parametrize("labels", [np.arange(6), np.arange(7), np.eye(6), np.zeros(6), np.array(["a"] * 6)])
def test_labels_of_any_kind_are_named_and_refuse_no_images(labels: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", arr_0=GREY, arr_1=labels, mu=np.zeros(2))
    np.save(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "a.labels.npy", labels)
    packed, alone = read_npz(tmp_path / "a.npz", (1, 9, 8)), read_npy(tmp_path / "a.npy", (1, 9, 8))
    assert (packed.left_out, alone.left_out) == ("left out arr_1, mu", "left out a.labels.npy")
    for found in (packed, alone):
        assert np.array_equal(found.images[:, 0].numpy(), GREY[..., 0])


def unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255


def coloured(images: np.ndarray) -> np.ndarray:
    images = np.repeat(images, 3, axis=3)
    images[4, 2, 1, 0] ^= 1
    return images


@pytest.mark.parametrize(
    ("images", "channels", "said"),
    [
        (unit(COLOURS), 3, "holds float32 from 0 to 1, whose range the file does not state; save uint8: "
                           "(x * 255).round() for values in [0, 1], ((x + 1) * 127.5).round() for values in [-1, 1]"),
        (unit(COLOURS) * 2 - 1, 3, "holds float32 from -1 to 1,"),
        (COLOURS.astype(np.float64), 3, "holds float64 from 0 to 255,"),
        (COLOURS.astype(np.int64), 3, "holds int64; save uint8 from 0 to 255"),
        (COLOURS.astype(np.uint16), 3, "holds uint16; save uint8"),
        (COLOURS.astype(object), 3, "holds Python objects, which are never unpickled"),
        (COLOURS.transpose(0, 3, 1, 2), 3, "is N x C x H x W (6 x 3 x 9 x 8); save images.transpose(0, 2, 3, 1)"),
        (GREY.transpose(0, 3, 1, 2), 1, "is N x C x H x W (6 x 1 x 9 x 8)"),
        (noise(6, 9, 8, 4), 3, "has an alpha channel (6 x 9 x 8 x 4)"),
        (noise(6, 9, 8, 2), 3, "has 2 channels"),
        (noise(9, 8), 1, "has the shape 9 x 8; save N x H x W x C"),
        (noise(6, 8, 9, 3), 3, "has images of 8 x 9 pixels, but the data is 9 x 8"),
        (GREY, 3, "is grey, but the data has 3 channels"),
        (coloured(GREY), 1, "has colours in image 4, but the data is grey"),
        (COLOURS[:0], 3, "holds no images"),
        (np.asfortranarray(COLOURS), 3, "is in Fortran's order; save numpy.ascontiguousarray(images)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_other_arrays_are_refused_with_the_remedy(
    images: np.ndarray, channels: int, said: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as file:
        (np.save if suffix == ".npy" else np.savez)(file, images)
    read = read_npy if suffix == ".npy" else read_npz
    with pytest.raises(EvaluationError) as refusal:
        read(path, (channels, 9, 8))
    assert f"images={path} {said}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def packed(**arrays_by_name: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays_by_name)
    return file.getvalue()


def stored(images: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, images)
    return file.getvalue()


def changed(content: bytes) -> bytes:
    """One byte among the pixels is another."""
    return content[:600] + bytes([content[600] ^ 0xFF]) + content[601:]


def short_member() -> bytes:
    """An archive that is sound, of an array that is not."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arr_0.npy", stored(COLOURS)[:-7])
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", packed(images=COLOURS), "holds no array arr_0, but images; save the images with numpy.savez"),
        ("a.npz", packed(mu=np.zeros(2), sigma=np.eye(2)), "but the statistics mu and sigma; name them"),
        ("a.npz", packed(), "holds no array arr_0, but nothing"),
        ("a.npz", packed(arr_0=COLOURS)[:-40], "cannot be read"),
        ("a.npz", changed(packed(arr_0=COLOURS)), "cannot be read"),
        ("a.npz", short_member(), "is damaged"),
        ("a.npz", b"", "cannot be read"),
        ("a.npz", stored(COLOURS), "cannot be read"),
        ("a.npy", stored(COLOURS)[:-200], "is damaged"),
        ("a.npy", stored(COLOURS)[:50], "cannot be read"),
        ("a.npy", b"", "cannot be read"),
        ("a.npy", packed(arr_0=COLOURS), "cannot be read"),
        ("a.npy", b"\x93NUMPY\x03\x00" + stored(COLOURS)[8:], "version 3.0"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_in_one_sentence(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    read: Callable[..., Any] = read_npz if name.endswith("z") else read_npy
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError, match="images=.*" + said) as refusal:
        read(tmp_path / name, (3, 9, 8))
    assert "\n" not in str(refusal.value)
    with pytest.raises(EvaluationError, match="cannot be read: .*No such file"):
        read(tmp_path / "missing", (3, 9, 8))
