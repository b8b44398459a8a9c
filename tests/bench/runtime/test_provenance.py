"""What is recorded as the code, in real repositories of git: the suite's own, other people's, and none."""

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.runtime import provenance
from bench.runtime.provenance import code_version, source_digest, version_of

PACKAGE = f"package {version('generative-trilemma')}"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git with no settings of the machine's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def suite(house: Path) -> Path:
    """A suite of two files."""
    (house / "bench" / "runtime").mkdir(parents=True)
    (house / "models").mkdir()
    (house / "bench" / "runtime" / "provenance.py").write_text("ROOT = 1\n")
    (house / "models" / "vae.py").write_text("WIDTH = 1\n")
    return house


def committed(repository: Path) -> str:
    """The commit of a new repository of all that is in the folder."""
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    return git(repository, "rev-parse", "HEAD")


def test_a_clean_clone_is_its_commit(tmp_path: Path) -> None:
    house = suite(tmp_path / "suite")
    commit = committed(house)
    assert version_of(house) == {"commit": commit, "clean": True}


def test_a_suite_tracked_in_a_part_of_a_repository_is_judged_by_that_part(tmp_path: Path) -> None:
    house = suite(tmp_path / "theirs" / "suite")
    commit = committed(tmp_path / "theirs")
    (tmp_path / "theirs" / "notes.txt").touch()
    assert version_of(house) == {"commit": commit, "clean": True}


def edit(house: Path) -> None:
    (house / "models" / "vae.py").write_text("WIDTH = 2\n")


def add(house: Path) -> None:
    (house / "models" / "gan.py").touch()


def stage(house: Path) -> None:
    edit(house)
    git(house, "add", "-A")


def delete(house: Path) -> None:
    (house / "models" / "vae.py").unlink()


@pytest.mark.parametrize("change", [edit, add, stage, delete])
@pytest.mark.parametrize("untracked", ["normal", "no"])
def test_a_changed_tree_is_never_clean_and_is_told_by_its_sources(
    tmp_path: Path, change: Callable[[Path], None], untracked: str
) -> None:
    house = suite(tmp_path / "suite")
    commit, before = committed(house), source_digest(house)
    git(house, "config", "status.showUntrackedFiles", untracked)
    change(house)
    assert version_of(house) == {"commit": commit, "clean": False, "sources": source_digest(house)}
    assert source_digest(house) != before


def test_another_repository_that_the_package_lies_in_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "app.py").touch()
    committed(tmp_path / "theirs")
    house = suite(tmp_path / "theirs" / ".venv" / "site-packages")
    expected = {"commit": PACKAGE, "clean": None, "sources": source_digest(house)}
    assert version_of(house) == expected
    (tmp_path / "theirs" / ".gitignore").write_text(".venv\n")
    assert version_of(house) == expected


def test_a_package_outside_any_repository_is_its_version_and_a_digest(tmp_path: Path) -> None:
    house = suite(tmp_path / "site-packages")
    first = version_of(house)
    assert first == {"commit": PACKAGE, "clean": None, "sources": source_digest(house)}
    (house / "bench" / "__pycache__").mkdir()
    (house / "bench" / "__pycache__" / "x.pyc").touch()
    (house / "bench" / "._provenance.py").touch()
    assert version_of(house) == first
    edit(house)
    assert version_of(house)["sources"] != first["sources"]


def test_a_clone_of_another_user_is_unknown_clean_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = suite(tmp_path / "suite")
    committed(house)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests of this refusal
    if subprocess.run(["git", "-C", str(house), "status"], capture_output=True).returncode == 0:
        pytest.skip("this git looks at no owner")
    assert version_of(house) == {"commit": "unknown", "clean": None, "sources": source_digest(house)}


def test_a_repository_without_a_commit_and_a_machine_without_git_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = suite(tmp_path / "suite")
    git(house, "init", "-q")
    git(house, "add", "-A")
    unknown = {"commit": "unknown", "clean": None, "sources": source_digest(house)}
    assert version_of(house) == unknown
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert version_of(house) == unknown
    assert version_of(suite(tmp_path / "package"))["commit"] == PACKAGE


def test_a_hook_of_another_repository_does_not_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house, theirs = suite(tmp_path / "suite"), suite(tmp_path / "theirs")
    commit = committed(house)
    edit(theirs)
    committed(theirs)
    monkeypatch.setenv("GIT_DIR", str(theirs / ".git"))
    assert version_of(house) == {"commit": commit, "clean": True}


def test_the_version_is_looked_up_once_and_cannot_be_changed_by_a_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    first = code_version()
    first["commit"] = "another"
    monkeypatch.setattr(provenance, "_commit", lambda house: pytest.fail("looked up again"))
    assert code_version()["commit"] != "another"
