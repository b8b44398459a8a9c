"""PNG files, also of kinds that Pillow would convert in silence, written by an encoder of the test's own."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bench.evaluation import EvaluationError
from bench.evaluation.png_folder import read_images

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


def test_images_come_back_exactly_in_the_order_of_their_relative_paths(tmp_path: Path) -> None:
    names = ["10.png", "9.png", "a/1.png", "a/b/0.PNG", "a1.png"]  # ascending as text
    for size in ((28, 28), (7, 5, 3)):
        folder = tmp_path / str(len(size))
        (folder / "a/b").mkdir(parents=True)
        (folder / "notes.txt").touch()
        images = noise(5, *size)
        for i in (3, 0, 4, 1, 2):
            Image.fromarray(images[i]).save(folder / names[i])
        expected = torch.from_numpy(images.reshape(5, *size[:2], -1)).permute(0, 3, 1, 2)
        found = read_images(folder, tuple(expected.shape[1:]))  # type: ignore[arg-type]
        assert found.dtype == torch.uint8
        assert torch.equal(found, expected)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(GREY, 1), (RGB, 3)])
def test_interlaced_files_hold_the_same_pixels(tmp_path: Path, colour: int, channels: int, interlaced: bool) -> None:
    pixels = noise(13, 11, channels)
    (tmp_path / "x.png").write_bytes(png(pixels, colour=colour, interlaced=interlaced))
    assert torch.equal(read_images(tmp_path, (channels, 13, 11))[0], torch.from_numpy(pixels).permute(2, 0, 1))


def test_a_colour_file_without_colour_is_grey(tmp_path: Path) -> None:
    pixels = noise(28, 28)
    Image.fromarray(np.stack([pixels] * 3, axis=2)).save(tmp_path / "x.png")
    assert torch.equal(read_images(tmp_path, (1, 28, 28))[0, 0], torch.from_numpy(pixels))


def almost_grey() -> np.ndarray:
    pixels = np.repeat(noise(8, 8, 1), 3, axis=2)
    pixels[7, 7, 2] ^= 1
    return pixels


def changed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


GOOD = png(noise(8, 8))
WIDE = np.arange(64).reshape(8, 8) * 1000


@pytest.mark.parametrize(
    ("content", "channels", "message"),
    [
        (png(noise(8, 9)), 1, "is 8 x 9 pixels, but the data is 8 x 8"),
        (png(WIDE, 16), 1, "is a 16-bit file"),
        (png(np.stack([WIDE] * 3, axis=2), 16, RGB), 3, "is a 16-bit file"),
        (png(noise(8, 8) & 1, 1), 1, "is a 1-bit file"),
        (png(noise(8, 8) & 1, 8, PALETTE, extra=chunk(b"PLTE", bytes(6))), 1, "has a palette"),
        (png(noise(8, 8, 2), 8, GREY_ALPHA), 1, "has an alpha channel"),
        (png(noise(8, 8, 4), 8, RGB_ALPHA), 3, "has an alpha channel"),
        (png(noise(8, 8), extra=chunk(b"tRNS", b"\0\7")), 1, "has a transparent colour"),
        (png(almost_grey(), 8, RGB), 1, "has colours, but the data is grey"),
        (GOOD, 3, "is grey, but the data has 3 channels"),
        (b"", 1, "is no PNG file"),
        (GOOD[:20], 1, "is no PNG file"),
        (b"\xff\xd8\xff\xe0 JPEG by another name, long enough", 1, "is no PNG file"),
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
        read_images(tmp_path, (channels, 8, 8))
    assert "\n" not in str(refusal.value)


def test_a_folder_without_png_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"images=.*absent is not a folder"):
        read_images(tmp_path / "absent", (1, 8, 8))
    with pytest.raises(EvaluationError, match="holds no PNG file, and nothing else: save the samples as 8-bit PNG"):
        read_images(tmp_path, (1, 8, 8))
    (tmp_path / "samples.npz").touch()
    with pytest.raises(EvaluationError, match=r"holds no PNG file, but 1 \.npz: save"):
        read_images(tmp_path, (1, 8, 8))
    for i in range(12):
        (tmp_path / f"{i}.JPG").touch()
    with pytest.raises(EvaluationError, match=r"but 12 \.jpg, 1 \.npz, and lossy files have other pixels"):
        read_images(tmp_path, (1, 8, 8))
    with pytest.raises(EvaluationError, match="are PNG files of 1 or 3 channels, but the data has 2"):
        read_images(tmp_path, (2, 1, 1))


def test_progress_counts_files_to_the_end(tmp_path: Path) -> None:
    for i in range(1200):
        (tmp_path / f"{i}.png").write_bytes(GOOD)
    seen: list[Any] = []
    images: Tensor = read_images(tmp_path, (1, 8, 8), lambda *args: seen.append(args))
    assert seen == [("reading", done, 1200) for done in (500, 1000, 1200)]
    assert (images == images[0]).all()
