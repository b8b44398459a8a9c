"""A file has its name only when all of it is on the disk, and hidden files are none of ours."""

import os
from pathlib import Path

import pytest

from bench.runtime.files import visible, write_text, written_aside


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut may leave the new name with nothing behind it."""
    order: list[tuple[str, object]] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        order.append(("fsync", os.fstat(handle).st_size))
        fsync(handle)

    def renamed(source: str, target: Path) -> None:
        order.append(("replace", Path(target).read_text()))
        replace(source, target)

    file = tmp_path / "below" / "record.json"
    write_text(file, "old")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_text(file, "whole")
    assert order == [("fsync", len("whole")), ("replace", "old")]
    assert [(one.name, one.read_text()) for one in file.parent.iterdir()] == [("record.json", "whole")]


def test_what_a_killed_process_left_aside_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".record.json.a1b2").write_text("half of it")
    (tmp_path / ".other.json.a1b2").write_text("of another file")
    write_text(tmp_path / "record.json", "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".other.json.a1b2", "record.json"]


def test_hidden_files_and_those_in_hidden_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "._a.json", ".hidden/c.json", "below/d.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert visible(tmp_path, "**/*.json") == [tmp_path / name for name in ("a.json", "b.json", "below/d.json")]


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_written_aside_has_its_name_only_when_the_block_ends_well(folder: bool, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.npz"

    def fill(stop: bool) -> None:
        with written_aside(target) as aside:
            assert aside.suffix == ".npz"
            if folder:
                aside.mkdir()
            (aside / "part" if folder else aside).write_text("whole")
            assert not target.exists()
            if stop:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(stop=True)
    assert list(target.parent.iterdir()) == []
    fill(stop=False)
    assert list(target.parent.iterdir()) == [target]
    assert (target / "part" if folder else target).read_text() == "whole"
