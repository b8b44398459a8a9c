"""Lossless files, also of kinds that Pillow would convert in silence; PNG by an encoder of the test's own."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.folder import read_images

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
# x0, y0, dx, dy of the seven passes of interlacing (PNG specification, W3C 2003, Section 8.2)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    pixels: np.ndarray, depth: int = 8, colour: int = GREY, *, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """H x W or H x W x C of any depth, without filters; `extra` chunks stand before the pixels."""
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [pixels]
    rows = [row for part in passes if part.shape[1] for row in part]
    packed = (np.packbits(row) if depth == 1 else row.astype(">u2" if depth == 16 else np.uint8) for row in rows)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def read(folder: Path, shape: tuple[int, int, int]) -> Tensor:
    """The files of a folder in the order of their names."""
    return read_images(sorted(folder.iterdir()), shape)


@pytest.mark.parametrize("ending", [".png", ".PNG", ".bmp", ".tif", ".tiff"])
@pytest.mark.parametrize("size", [(28, 28), (7, 5, 3)], ids=["grey", "colours"])
def test_images_come_back_exactly_in_the_order_of_their_paths(
    tmp_path: Path, size: tuple[int, ...], ending: str
) -> None:
    images = noise(5, *size)
    for i in (3, 0, 4, 1, 2):
        Image.fromarray(images[i]).save(tmp_path / f"{i}{ending}")
    expected = torch.from_numpy(images.reshape(5, *size[:2], -1)).permute(0, 3, 1, 2)
    found = read(tmp_path, tuple(expected.shape[1:]))  # type: ignore[arg-type]
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected)


def wide_tiff(pixels: np.ndarray) -> bytes:
    """H x W x 3 as an uncompressed TIFF of 16 bits a channel, which Pillow cannot write and reads as 8 bits."""
    height, width, _ = pixels.shape
    data = pixels.astype("<u2").tobytes()
    depths, start = 8 + 2 + 9 * 12 + 4, 8 + 2 + 9 * 12 + 4 + 6
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, depths), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, start), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    header = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return header + packed + struct.pack("<IHHH", 0, 16, 16, 16) + data


def saved(pixels: np.ndarray, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "channels", "message"),
    [
        ("b.tif", saved(noise(8, 9), "TIFF"), 1, "is 8 x 9 pixels, but the data is 8 x 8"),
        ("b.tif", wide_tiff(noise(8, 8, 3)), 3, "holds RGB;16L pixels"),
        ("b.tif", saved(noise(8, 8).astype(np.uint16), "TIFF"), 1, "holds I;16 pixels"),
        ("b.tif", saved(noise(8, 8, 4), "TIFF"), 3, "holds RGBA pixels"),
        ("b.tif", saved(noise(8, 8, 3), "TIFF", compression="jpeg"), 3, "is compressed with loss"),
        ("b.tif", saved(noise(8, 8), "TIFF", save_all=True, append_images=[Image.new("L", (8, 8))]), 1,
         "holds 2 images"),
        ("b.tif", saved(noise(8, 8), "TIFF"), 3, "is grey, but the data has 3 channels"),
        ("b.tif", saved(noise(8, 8), "TIFF")[:-30], 1, "cannot be decoded"),
        ("b.bmp", saved(noise(8, 8, 3), "BMP"), 1, "has colours, but the data is grey"),
        ("b.bmp", saved(noise(8, 8), "BMP")[:20], 1, "cannot be decoded"),
        ("b.bmp", png(noise(8, 8)), 1, "cannot be decoded"),
    ],
)  # fmt: skip
def test_what_would_change_a_pixel_of_a_bitmap_or_tiff_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, channels: int, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError, match=f"images=.*{name} {message}") as refusal:
        read(tmp_path, (channels, 8, 8))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(GREY, 1), (RGB, 3)])
def test_interlaced_files_hold_the_same_pixels(tmp_path: Path, colour: int, channels: int, interlaced: bool) -> None:
    pixels = noise(13, 11, channels)
    (tmp_path / "x.png").write_bytes(png(pixels, colour=colour, interlaced=interlaced))
    assert torch.equal(read(tmp_path, (channels, 13, 11))[0], torch.from_numpy(pixels).permute(2, 0, 1))


def test_a_colour_file_without_colour_is_grey(tmp_path: Path) -> None:
    pixels = noise(28, 28)
    Image.fromarray(np.stack([pixels] * 3, axis=2)).save(tmp_path / "x.png")
    assert torch.equal(read(tmp_path, (1, 28, 28))[0, 0], torch.from_numpy(pixels))


def almost_grey() -> np.ndarray:
    pixels = np.repeat(noise(8, 8, 1), 3, axis=2)
    pixels[7, 7, 2] ^= 1
    return pixels


def changed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def animated() -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in (1, 2)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


GOOD = png(noise(8, 8))
WIDE = np.arange(64).reshape(8, 8) * 1000


@pytest.mark.parametrize(
    ("content", "channels", "message"),
    [
        (png(noise(8, 9)), 1, "is 8 x 9 pixels, but the data is 8 x 8"),
        (png(WIDE, 16), 1, "is a 16-bit file"),
        (animated(), 1, "is an animation of 2 images"),
        (png(np.stack([WIDE] * 3, axis=2), 16, RGB), 3, "is a 16-bit file"),
        (png(noise(8, 8) & 1, 1), 1, "is a 1-bit file"),
        (png(noise(8, 8) & 1, 8, PALETTE, extra=chunk(b"PLTE", bytes(6))), 1, "has a palette"),
        (png(noise(8, 8, 2), 8, GREY_ALPHA), 1, "has an alpha channel"),
        (png(noise(8, 8, 4), 8, RGB_ALPHA), 3, "has an alpha channel"),
        (png(noise(8, 8), extra=chunk(b"tRNS", b"\0\7")), 1, "has a transparent colour"),
        (png(almost_grey(), 8, RGB), 1, "has colours, but the data is grey"),
        (GOOD, 3, "is grey, but the data has 3 channels"),
        (b"", 1, "is not a PNG file"),
        (GOOD[:20], 1, "is not a PNG file"),
        (b"\xff\xd8\xff\xe0 JPEG by another name, long enough", 1, "is not a PNG file"),
        (GOOD[:30], 1, "cannot be decoded"),
        (GOOD[:-30], 1, "cannot be decoded"),
        (changed(GOOD, 60), 1, "cannot be decoded"),  # among the pixels
        (changed(GOOD, 30), 1, "cannot be decoded"),  # the header's checksum
    ],
)
def test_what_would_change_a_pixel_is_refused_by_name(
    tmp_path: Path, content: bytes, channels: int, message: str
) -> None:
    good = png(noise(8, 8), colour=GREY) if channels == 1 else png(noise(8, 8, 3), colour=RGB)
    (tmp_path / "a.png").write_bytes(good)
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(EvaluationError, match=f"images=.*b.png {message}") as refusal:
        read(tmp_path, (channels, 8, 8))
    assert "\n" not in str(refusal.value)


def test_data_of_two_channels_are_refused() -> None:
    with pytest.raises(EvaluationError, match="image files have 1 or 3 channels, but the data has 2"):
        read_images([], (2, 1, 1))


def test_progress_counts_files_to_the_end(tmp_path: Path) -> None:
    for i in range(1200):
        (tmp_path / f"{i}.png").write_bytes(GOOD)
    seen: list[Any] = []
    images: Tensor = read_images(list(tmp_path.iterdir()), (1, 8, 8), lambda *args: seen.append(args))
    assert seen == [("reading", done, 1200) for done in (500, 1000, 1200)]
    assert (images == images[0]).all()
