"""What of a folder is data: hidden entries, links, endings, and the count of all that is left out."""

import os
from collections import Counter
from pathlib import Path

import pytest

from datamodules.base import DataError
from datamodules.folders import BROKEN, HIDDEN, REPEATED, SPECIAL, Listing, list_files, subfolders


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(folder: Path) -> tuple[list[str], Counter[str]]:
    """The relative paths of the data among the files, and what was left out."""
    listing = list_files(folder, (".png", ".tif"), "data.root")
    return [path.relative_to(folder).as_posix() for path in listing.files], listing.left_out


def test_files_are_sorted_by_their_path_and_the_others_counted_by_ending(tmp_path: Path) -> None:
    names = ["10.png", "9.tif", "a/1.png", "a/b/0.PNG", "a1.png"]  # ascending as text
    touch(*(tmp_path / name for name in reversed(names)))
    touch(*(tmp_path / name for name in ("x.gif", "a/y.GIF", "README", "a/b.json")))
    assert listed(tmp_path) == (names, Counter({".gif": 2, "without ending": 1, ".json": 1}))


def test_hidden_entries_are_no_data_at_any_depth_but_the_folder_itself_may_be_hidden(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "set"
    touch(folder / "a.png", folder / "b/c.png")
    touch(folder / "._a.png", folder / ".ipynb_checkpoints/a.png", folder / "b/.git/x.png", folder / "__MACOSX/a.png")
    assert listed(folder) == (["a.png", "b/c.png"], Counter({HIDDEN: 4}))


def test_a_linked_folder_and_a_linked_file_are_read(tmp_path: Path) -> None:
    touch(tmp_path / "disk/more/1.png", tmp_path / "disk/blob.tif", tmp_path / "set/0.png")
    (tmp_path / "set/more").symlink_to("../disk/more")
    (tmp_path / "set/2.png").symlink_to("../disk/blob.tif")  # the link's ending counts, as stores of blobs have none
    assert listed(tmp_path / "set") == (["0.png", "2.png", "more/1.png"], Counter())


def test_nothing_is_read_twice_and_no_cycle_is_walked(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    touch(folder / "z/1.png", tmp_path / "disk/deep/2.png")
    (folder / "a").symlink_to("z")  # sorted before what it links to
    (folder / "b.png").symlink_to("z/1.png")
    (folder / "c").symlink_to("../disk/deep")
    (folder / "d").symlink_to("../disk")  # holds what c links to
    (folder / "z/itself").symlink_to("..")
    (folder / "z/above").symlink_to("../..")
    (tmp_path / "disk/back").symlink_to("../set/c")
    assert listed(folder) == (["c/2.png", "z/1.png"], Counter({REPEATED: 6}))


def test_links_that_lead_nowhere_and_pipes_are_counted(tmp_path: Path) -> None:
    touch(tmp_path / "0.png")
    (tmp_path / "1.png").symlink_to("gone.png")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "2.png")
    assert listed(tmp_path) == (["0.png"], Counter({BROKEN: 2, SPECIAL: 1}))


def test_what_is_left_out_is_one_line_the_most_frequent_first() -> None:
    left_out = Counter({".txt": 2, HIDDEN: 1200, ".gif": 2})
    assert Listing([], left_out).note == "left out 1,200 hidden, 2 .gif, 2 .txt"
    assert Listing().note == ""


def test_a_missing_folder_and_one_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=f"^--images={tmp_path}/nowhere is not a folder.$"):
        list_files(tmp_path / "nowhere", (".png",), "--images")
    touch(tmp_path / "closed/0.png")
    scan = os.scandir

    def refuse(path: Path) -> object:  # the tests may run as root, who can read all
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(
        DataError, match=f"^data.root={tmp_path}: {tmp_path}/closed cannot be read: Permission denied.$"
    ):
        list_files(tmp_path, (".png",), "data.root")


def test_the_subfolders_of_a_folder_are_named_without_hidden_ones_and_files(tmp_path: Path) -> None:
    touch(tmp_path / "set/b/c/1.png", tmp_path / "set/.git/1", tmp_path / "set/__MACOSX/1", tmp_path / "set/0.png")
    (tmp_path / "set/a").symlink_to("../elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert subfolders(tmp_path / "set") == ["a", "b"]
