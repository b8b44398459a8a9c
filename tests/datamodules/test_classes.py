"""Classes from sub-folders and from a CSV file: their order, and what does not fit the images."""

from pathlib import Path

import pytest

from datamodules.base import DataError
from datamodules.classes import Classes, by_csv, by_folder


def touch(root: Path, *names: str) -> list[Path]:
    """Empty files below `root`, ascending by name."""
    paths = [root / name for name in sorted(names)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_labels_number_the_sorted_names_as_text_or_as_whole_numbers() -> None:
    cases = {
        ("fox", "cat", "dog", "cat"): (["cat", "dog", "fox"], [2, 0, 1, 0]),
        ("10", "9", "0"): (["0", "9", "10"], [2, 1, 0]),
        ("10", "9", "x"): (["10", "9", "x"], [0, 1, 2]),
        ("1", "01"): (["01", "1"], [1, 0]),
    }
    for names, (ordered, labels) in cases.items():
        classes = Classes.of(names)
        assert (classes.names, classes.labels.tolist()) == (ordered, labels)


def test_the_note_counts_the_classes_and_names_ten() -> None:
    assert Classes.of(["dog", "cat"]).note == "2 classes: cat, dog"
    many = Classes.of([str(number) for number in range(1200)]).note
    assert many == "1,200 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1,190 more"


def test_the_first_folder_of_a_path_is_its_class_whatever_lies_below(tmp_path: Path) -> None:
    paths = touch(tmp_path, "cat/1.png", "cat/kitten/2.png", "dog/1.png")
    (tmp_path / ".cache").mkdir()
    classes = by_folder([(tmp_path, paths)])
    assert (classes.names, classes.labels.tolist()) == (["cat", "dog"], [0, 0, 1])


def test_the_classes_of_two_folders_are_numbered_together(tmp_path: Path) -> None:
    parts = [
        (tmp_path / name, touch(tmp_path / name, *(f"{kind}/1.png" for kind in kinds)))
        for name, kinds in (("train", ("ant", "dog")), ("test", ("cat", "dog")))
    ]
    classes = by_folder(parts)
    assert (classes.names, classes.labels.tolist()) == (["ant", "cat", "dog"], [0, 2, 1, 2])


def test_loose_images_empty_folders_and_splits_are_refused(tmp_path: Path) -> None:
    paths = touch(tmp_path / "a", "1.png", "2.png", "cat/1.png")
    with pytest.raises(
        DataError, match=f"^data.classes=folders: 2 images lie in no sub-folder of {tmp_path}/a, .*the first .*/1.png; "
    ):
        by_folder([(tmp_path / "a", paths)])
    paths = touch(tmp_path / "b", "cat/1.png")
    touch(tmp_path / "b", "dog/notes.txt")
    with pytest.raises(DataError, match=f"^data.classes=folders: {tmp_path}/b/dog holds no images; remove it"):
        by_folder([(tmp_path / "b", paths)])
    paths = touch(tmp_path / "c", "test/1.png", "train/1.png")
    with pytest.raises(DataError, match=r"sub-folders of .*/c are test, train, which are splits .* data.held_out=NAME"):
        by_folder([(tmp_path / "c", paths)])


def test_a_csv_file_may_have_more_columns_in_any_order(tmp_path: Path) -> None:
    paths = touch(tmp_path, "b/2.png", "a, b.png")
    file = tmp_path / "labels.csv"
    file.write_text('﻿label,age,file\ndog,3,./b/2.png\n\ncat,,"a, b.png"\n', encoding="utf-8")
    classes, unread = by_csv(file, tmp_path, paths)
    assert (classes.names, classes.labels.tolist(), unread) == (["cat", "dog"], [0, 1], 0)


def test_absolute_paths_and_labels_of_files_that_are_not_read_are_understood(tmp_path: Path) -> None:
    read = touch(tmp_path, "1.png")
    touch(tmp_path, "later.gif")
    file = tmp_path / "labels.csv"
    file.write_text(f"file,label\n{tmp_path}/1.png,cat\nlater.gif,dog\n")
    classes, unread = by_csv(file, tmp_path, read)
    assert (classes.names, unread) == (["cat"], 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "labels.csv begins with the line ''; expected a line that names the columns, file and label among them"),
        ("1.png,cat\n2.png,dog\n", "labels.csv begins with the line '1.png,cat'; expected"),
        ("file,file,label\n", "begins with the line 'file,file,label'"),
        ("file,label\n1.png,cat\n", "labels.csv has no label for 1 of 2 images, the first .*/2.png; add a line"),
        ("file,label\n1.png,cat\n2.png,dog\n3.png,dog\n", "labels 1 files that are not there, the first .*/3.png"),
        ("file,label\n1.png,cat\n2.png\n", "labels.csv, line 3: 1 columns, but the first line names 2"),
        ("file,label\n1.png,\n", "labels.csv, line 2: label is empty"),
        ("file,label\n,cat\n", "labels.csv, line 2: file is empty"),
        ("file,label\n1.png,cat\n./1.png,dog\n", "labels.csv, line 3: ./1.png has a label already"),
    ],
)
def test_a_csv_file_that_does_not_fit_is_refused(tmp_path: Path, content: str, message: str) -> None:
    paths = touch(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=message) as error:
        by_csv(tmp_path / "labels.csv", tmp_path, paths)
    assert str(error.value).startswith(f"{tmp_path}/labels.csv")
    assert str(error.value).endswith(".")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    paths = touch(tmp_path, "1.png")
    with pytest.raises(DataError, match=r"labels.csv, the file of data.classes, cannot be read: No such file"):
        by_csv(tmp_path / "labels.csv", tmp_path, paths)
    (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff\xfe,1\n")
    with pytest.raises(DataError, match=r"labels.csv is no CSV file in UTF-8: "):
        by_csv(tmp_path / "labels.csv", tmp_path, paths)
