"""A user's images, made here with Pillow: what arrives in memory, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.base import DataError, ImageDataModule, held_out_share, split_indices
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
    train, test = split_indices(count, held_out_share(count))
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


def test_a_third_of_a_few_is_held_out_and_labels_are_zero(tmp_path: Path, pixels: np.ndarray) -> None:
    for k, image in enumerate(pixels):
        save(tmp_path / f"{k:02}.png", image)
    first, second = (ImageFolder(root=str(tmp_path), size=8, seed=seed) for seed in (1, 2))
    first.setup()
    second.setup()
    assert first.digest("test") == second.digest("test")
    assert (len(first.train_images), len(first.test_images)) == (8, 4)
    assert first.train_labels.tolist() == [0] * 8
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
        DataError, match=rf"^{tmp_path}/[01].png has more than 8 bits a channel \(I;16\); save it with 8.$"
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
    train, test = split_indices(12, held_out_share(12))
    held_out, trained = test.tolist()[1], train.tolist()[3]
    for k, image in enumerate(pixels):
        save(tmp_path / f"{k:02}.{'bmp' if k == held_out else 'png'}", pixels[trained] if k == held_out else image)
    data = ImageFolder(root=str(tmp_path), size=8)
    data.setup()
    (note,) = data.notes
    assert note.startswith("1 of 4 held-out images are exact copies of training images, the first ")
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


def labelled(root: Path, counts: dict[str, int], pixels: np.ndarray) -> None:
    """So many images below root/NAME for each name, all of them different."""
    number = 0
    for name, count in counts.items():
        for k in range(count):
            image = np.roll(pixels[number % len(pixels)], number // len(pixels), axis=0)
            save(root / name / f"{k:03}.png", image)
            number += 1


def loaded(root: Path, **settings: Any) -> ImageFolder:
    data = ImageFolder(root=str(root), size=8, **settings)
    data.setup()
    return data


def test_the_same_share_of_each_sub_folder_is_held_out(tmp_path: Path, pixels: np.ndarray) -> None:
    labelled(tmp_path, {"ant": 50, "bee": 40, "cow": 10}, pixels)
    data = loaded(tmp_path, classes="folders")
    assert held_out_share(100) == 0.2
    assert data.train_labels.tolist() == [0] * 40 + [1] * 32 + [2] * 8
    assert data.test_labels.tolist() == [0] * 10 + [1] * 8 + [2] * 2
    assert data.notes[0] == "data.classes=folders: 3 classes: ant, bee, cow"
    train, test = split_indices(50, 0.2)
    plain = everything(tmp_path, 8)
    assert torch.equal(data.train_images[:40], plain[:50][train])
    assert torch.equal(data.test_images[:10], plain[:50][test])


def test_sub_folders_that_may_be_classes_are_named(tmp_path: Path, pixels: np.ndarray) -> None:
    labelled(tmp_path / "a", {"ant": 3, "bee": 3}, pixels)
    labelled(tmp_path / "b", {"ant": 3}, pixels)
    labelled(tmp_path / "c", {"train": 3, "test": 3}, pixels)
    notes = {name: loaded(tmp_path / name).notes for name in "abc"}
    assert notes["a"] == ["if the sub-folders are classes, set data.classes=folders (2 classes: ant, bee)"]
    assert (notes["b"], notes["c"]) == ([], [])
    save(tmp_path / "a" / "loose.png", pixels[11])
    assert loaded(tmp_path / "a").notes == []


def test_a_csv_file_and_sub_folders_of_the_same_classes_give_the_same_data(tmp_path: Path, pixels: np.ndarray) -> None:
    labelled(tmp_path, {"ant": 10, "bee": 10}, pixels)
    lines = [f"{name}/{k:03}.png,{name}" for k in range(10) for name in ("bee", "ant")]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]))
    folders, table = loaded(tmp_path, classes="folders"), loaded(tmp_path, classes="labels.csv")
    for split in ("train", "test"):
        assert folders.digest(split) == table.digest(split)
    assert torch.equal(folders.train_labels, table.train_labels)
    assert table.notes[-1] == "data.classes=labels.csv: 2 classes: ant, bee"


def test_the_digest_is_of_the_images_alone_without_classes_and_of_the_labels_with_them(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    labelled(tmp_path, {"a": 12}, pixels)
    labels = tmp_path / "labels.csv"
    digests = []
    for names in (["x", "y"] * 6, ["x"] * 6 + ["y"] * 6):
        labels.write_text("\n".join(["file,label", *(f"a/{k:03}.png,{name}" for k, name in enumerate(names))]))
        data = loaded(tmp_path, classes="labels.csv")
        digests.append(data.digest("train"))
    plain = loaded(tmp_path)
    assert plain.digest("train") == ImageDataModule.digest(plain, "train")
    assert len({*digests, plain.digest("train")}) == 3


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_the_named_folder_is_held_out_and_the_others_are_named(
    tmp_path: Path, pixels: np.ndarray, held_out: str
) -> None:
    counts = {"train/a": 5, "train/b": 4, "test/a": 1, "test/b": 2, "val/a": 2, "val/b": 1}
    labelled(tmp_path, counts, pixels)
    data = loaded(tmp_path, classes="folders", held_out=held_out)
    assert data.train_labels.tolist() == [0] * 5 + [1] * 4
    assert data.test_labels.tolist() == [0] * counts[f"{held_out}/a"] + [1] * counts[f"{held_out}/b"]
    other = {"test": "val", "val": "test"}[held_out]
    assert data.notes == [
        f"data.held_out={held_out}: folders of {tmp_path} that are not read: {other}",
        "data.classes=folders: 2 classes: a, b",
    ]
    expected = np.stack([np.array(Image.open(path)) for path in sorted((tmp_path / held_out).rglob("*.png"))])
    assert torch.equal(data.test_images, torch.from_numpy(expected).permute(0, 3, 1, 2))
    assert not loaded(tmp_path, held_out=held_out).train_labels.any()


def test_a_csv_file_labels_the_images_of_both_splits(tmp_path: Path, pixels: np.ndarray) -> None:
    labelled(tmp_path, {"train": 4, "test": 2, "val": 1}, pixels)
    names = [*(f"train/{k:03}.png" for k in range(4)), "test/000.png", "test/001.png", "val/000.png"]
    lines = [f"{name},{'ab'[k % 2]}" for k, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]))
    data = loaded(tmp_path, classes="labels.csv", held_out="test")
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([0, 1, 0, 1], [0, 1])
    assert data.notes[-1] == "data.classes=labels.csv: 2 classes: a, b; it labels 1 files that are not read"


@pytest.mark.parametrize(
    ("counts", "settings", "message"),
    [
        ({"a": 3, "b": 1}, {"classes": "folders"}, "class b has 0 images to train on and 1 held out in data.root="),
        ({"a": 3}, {"classes": "folders"}, "data.classes=folders: a is the only class of data.root="),
        ({"a": 3}, {"classes": "folder"}, "data.classes=folder: choose none, folders, or a CSV file below data.root"),
        ({"train/a": 2, "train/b": 2, "test/a": 1}, {"classes": "folders", "held_out": "test"}, "class b has 2 .* 0 h"),
        ({"train/a": 2, "test/a": 2, "test/b": 1}, {"classes": "folders", "held_out": "test"}, "class b has 0 .* 1 h"),
        ({"train": 2, "test": 2}, {"held_out": "val"}, "data.held_out=val: .*it has test, train"),
        ({"train": 2, "test": 2}, {"held_out": "train"}, "data.held_out=train: .*it has test, train"),
        ({"test": 2}, {"held_out": "test"}, "data.held_out=test: .* needs a folder train and, .*; it has test"),
        ({"train": 2}, {"held_out": ".."}, r"data.held_out=\.\.: "),
    ],
)
def test_classes_and_splits_that_do_not_fit_are_refused(
    tmp_path: Path, pixels: np.ndarray, counts: dict[str, int], settings: dict[str, str], message: str
) -> None:
    labelled(tmp_path, counts, pixels)
    with pytest.raises(DataError, match=message) as error:
        loaded(tmp_path, **settings)
    assert str(error.value).endswith(".")


def test_a_split_without_images_is_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    labelled(tmp_path, {"train": 2}, pixels)
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=f"^data.root={tmp_path}/test holds 0 images .*, but at least 1 is needed.$"):
        loaded(tmp_path, held_out="test")
    with pytest.raises(DataError, match=f"^data.root={tmp_path}/nowhere is not a folder.$"):
        loaded(tmp_path / "nowhere", held_out="test")
