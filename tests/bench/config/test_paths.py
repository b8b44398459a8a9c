"""A results folder that cannot be one is refused in one sentence, by every command, before anything is trained."""

import os
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.paths import check_new, check_results
from bench.config.schema import ConfigError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file, a link to nothing, and a link to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "dead").symlink_to("/nowhere/x")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


BAD = {
    "file": "file is a file, not a folder",
    "file/below": "file is a file, not a folder",
    "dead": "dead is a link to /nowhere/x, which does not exist",
    "dead/below": "dead is a link to /nowhere/x, which does not exist",
    "loop": "too many levels of symbolic links",
    "x" * 300: "file name too long",
    "y/" + "x" * 300: "file name too long",
    "z/" * 2100: "file name too long",
}
COMMANDS = {
    "train": ["train", "model=vae", "preset=smoke"],
    "sweep": ["sweep", "families", "preset=smoke"],
    "table": ["table"],
    "show": ["show", "vae-mnist-0-00000000"],
    "evaluate": ["evaluate", "vae-mnist-0-00000000"],
    "images": ["evaluate", "--images", "."],
}


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder[:12])
def test_what_is_no_folder_is_refused(folder: str, place: Path) -> None:
    with pytest.raises(ConfigError) as error:
        check_results(Path(folder))
    assert str(error.value).startswith(f"results={Path(folder)}: ")
    assert str(error.value).endswith(BAD[folder])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_it(command: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("file", "dead"):
        assert main([*COMMANDS[command], f"results={folder}"]) == 2
        assert BAD[folder] in " ".join(capsys.readouterr().err.split()).replace(f"{place}/ ", f"{place}/")


def test_folders_and_those_to_come_are_fine(place: Path) -> None:
    (place / "there").mkdir()
    (place / "link").symlink_to("there")
    for folder in ("there", "link", "there/new/deep", "link/new"):
        assert check_results(Path(folder), writes=True) == Path(folder)


def test_a_folder_that_cannot_be_written_is_refused_where_it_must_be(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "there").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place / "there")  # root may write anywhere
    assert check_results(Path("there"))
    with pytest.raises(ConfigError, match=r"results=there/new: .*/there cannot be written to; choose another"):
        check_results(Path("there/new"), writes=True)


def test_a_new_place_exists_not_yet_and_can_be_written_to(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_new("--out", Path("deep/new.npz")) == Path("deep/new.npz")
    for name, said in {
        "file": "--out=file: exists already; name a new one",
        "dead": "--out=dead: exists already",
        "file/new": "--out=file/new: .*file is no folder that can be written to; name another place",
        "dead/new": "--out=dead/new: .*dead is no folder",
    }.items():
        with pytest.raises(ConfigError, match=said):
            check_new("--out", Path(name))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place)  # root may write anywhere
    with pytest.raises(ConfigError, match="is no folder that can be written to"):
        check_new("--out", Path("deep/new.npz"))
