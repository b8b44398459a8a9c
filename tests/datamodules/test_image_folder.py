"""A user's images, made here with Pillow: what arrives in memory, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.base import DataError, split_indices
from datamodules.image_folder import ImageFolder


def save(path: Path, pixels: np.ndarray, **options: Any) -> None:
    """uint8, H x W or H x W x C."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def everything(root: Path, size: int) -> torch.Tensor:
    """Both splits joined in the order of the paths."""
    data = ImageFolder(root=str(root), size=size)
    data.setup()
    count = len(data.train_images) + len(data.test_images)
    images = torch.empty(count, *data.image_shape, dtype=torch.uint8)
    train, test = split_indices(count)
    images[train], images[test] = data.train_images, data.test_images
    return images


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def test_images_of_the_right_size_arrive_unchanged_in_the_order_of_their_paths(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    names = ["a.png", "b/a.bmp", "b/c/d.PNG", "b/z.png", "c.webp", "c0.tif", "c1.TIFF"]
    names += [f"d{k}.png" for k in range(5)]
    for name, image in reversed(list(zip(names, pixels, strict=True))):
        save(tmp_path / name, image, **({"lossless": True} if name.endswith("webp") else {}))
    (tmp_path / "notes.txt").write_text("not an image")
    assert torch.equal(everything(tmp_path, 8), torch.from_numpy(pixels).permute(0, 3, 1, 2))


def test_a_tenth_is_held_out_and_labels_are_zero(tmp_path: Path, pixels: np.ndarray) -> None:
    for k, image in enumerate(pixels):
        save(tmp_path / f"{k:02}.png", image)
    first, second = (ImageFolder(root=str(tmp_path), size=8, seed=seed) for seed in (1, 2))
    first.setup()
    second.setup()
    assert first.digest("test") == second.digest("test")
    assert (len(first.train_images), len(first.test_images)) == (11, 1)
    assert first.train_labels.tolist() == [0] * 11
    assert first.train_images.is_contiguous()


def test_the_shorter_side_is_scaled_and_the_longer_cropped_to_the_centre(tmp_path: Path, pixels: np.ndarray) -> None:
    wide = np.concatenate(list(pixels[:3]), axis=1)  # 8 x 24
    save(tmp_path / "0.png", wide)
    save(tmp_path / "1.png", wide.transpose(1, 0, 2))
    for size in (4, 8, 16):
        scaled = Image.fromarray(wide).resize((3 * size, size), Image.Resampling.LANCZOS)
        centre = torch.from_numpy(np.array(scaled)[:, size : 2 * size]).permute(2, 0, 1)
        images = everything(tmp_path, size)
        assert torch.equal(images[0], centre)
        # Pillow rounds between its two passes, of which the horizontal one is first.
        torch.testing.assert_close(images[1], centre.transpose(1, 2), atol=2, rtol=0)


def test_a_grey_folder_has_one_channel_and_a_mixed_one_three(tmp_path: Path, pixels: np.ndarray) -> None:
    grey = pixels[..., 0]
    save(tmp_path / "0.png", grey[0])
    save(tmp_path / "1.png", grey[1])
    assert torch.equal(everything(tmp_path, 8), torch.from_numpy(grey[:2])[:, None])
    save(tmp_path / "2.png", pixels[2])
    mixed = everything(tmp_path, 8)
    assert torch.equal(mixed[:2], torch.from_numpy(grey[:2])[:, None].expand(2, 3, 8, 8))
    assert torch.equal(mixed[2], torch.from_numpy(pixels[2]).permute(2, 0, 1))


def test_transparency_is_dropped_and_a_photograph_is_turned_upright(tmp_path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned clockwise by a quarter
    save(tmp_path / "0.png", pixels[0], exif=exif)
    save(tmp_path / "1.png", np.dstack([pixels[1], np.full((8, 8), 7, dtype=np.uint8)]))
    images = everything(tmp_path, 8)
    assert torch.equal(images[0], torch.from_numpy(np.rot90(pixels[0], k=-1).copy()).permute(2, 0, 1))
    assert torch.equal(images[1], torch.from_numpy(pixels[1]).permute(2, 0, 1))


@pytest.mark.parametrize("name", ["bad.png", "bad.jpg", "bad.webp", "bad.bmp", "bad.tif"])
@pytest.mark.parametrize("keep", [0, 20, 0.5], ids=["empty", "header", "half"])
def test_a_damaged_image_is_named(tmp_path: Path, pixels: np.ndarray, name: str, keep: float) -> None:
    save(tmp_path / "good.png", pixels[0])
    save(tmp_path / name, np.tile(pixels[1], (8, 8, 1)))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(DataError, match=f"^{tmp_path}/{name} cannot be decoded: "):
        ImageFolder(root=str(tmp_path)).setup()


def test_sixteen_bits_are_refused_rather_than_clipped(tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        save(tmp_path / name, np.full((8, 8), 1000, dtype=np.uint16))
    with pytest.raises(
        DataError, match=rf"^{tmp_path}/0.png has more than 8 bits a channel \(I;16\); save it with 8.$"
    ):
        ImageFolder(root=str(tmp_path)).setup()


def test_hidden_copies_are_not_trained_on_and_what_is_left_out_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    for k, image in enumerate(pixels):
        save(tmp_path / f"{k:02}.png", image)
        save(tmp_path / ".ipynb_checkpoints" / f"{k:02}-checkpoint.png", image)
    (tmp_path / "._00.png").write_bytes(b"\0\5\x16\7 a resource fork")
    (tmp_path / "notes.txt").touch()
    data = ImageFolder(root=str(tmp_path), size=8)
    data.setup()
    assert len(data.train_images) + len(data.test_images) == 12
    assert data.notes == [f"data.root={tmp_path}: 12 images, left out 2 hidden, 1 .txt"]


def test_copies_across_the_split_are_counted_and_the_first_is_named(tmp_path: Path, pixels: np.ndarray) -> None:
    train, test = split_indices(12)
    (held_out,), trained = test.tolist(), train.tolist()[3]
    for k, image in enumerate(pixels):
        save(tmp_path / f"{k:02}.{'bmp' if k == held_out else 'png'}", pixels[trained] if k == held_out else image)
    data = ImageFolder(root=str(tmp_path), size=8)
    data.setup()
    (note,) = data.notes
    assert note.startswith("1 of 1 held-out images are exact copies of training images, the first ")
    assert f"{held_out:02}.bmp of {tmp_path}/{trained:02}.png;" in note


def test_of_several_images_in_a_file_the_first_is_taken_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    save(tmp_path / "0.png", pixels[0])
    save(tmp_path / "1.tif", pixels[1], save_all=True, append_images=[Image.fromarray(pixels[2])])
    data = ImageFolder(root=str(tmp_path), size=8)
    data.setup()
    assert data.notes == ["files of several images: 1; the first image of each is taken"]


def test_a_missing_folder_an_empty_one_and_a_single_image_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(DataError, match=f"^data.root={tmp_path}/nowhere is not a folder.$"):
        ImageFolder(root=str(tmp_path / "nowhere")).setup()
    for count in range(2):
        with pytest.raises(DataError, match=f"^data.root={tmp_path} holds {count} images .* at least 2 are needed"):
            ImageFolder(root=str(tmp_path)).setup()
        save(tmp_path / "one.png", pixels[0])
