"""Identify the running code: by its commit, or by a digest of its sources where git cannot vouch for them."""

import hashlib
import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("bench", "configs", "datamodules", "generative_trilemma", "models")
SOURCE_SUFFIXES = {".py", ".yaml"}
PACKAGE = "generative-trilemma"
LIBRARIES = ("torch", "lightning", "torch-fidelity", "torchmetrics", "scikit-learn", "numpy")
UNKNOWN = "unknown"
# Git sets these variables for its hooks; they would redirect it to another repository.
GIT_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)
UNTRACKED = 1  # exit status of `git ls-files --error-unmatch`; errors have 128


def code_version() -> dict[str, Any]:
    """Return the code of this process as it was at the first call; see `version_of`."""
    return dict(_first_version())


@cache
def _first_version() -> dict[str, Any]:
    return version_of(ROOT)


def version_of(root: Path) -> dict[str, Any]:
    """Return the commit of the suite in `root`, whether its files match it, and unless it certainly does, a digest.

    commit: of the repository that tracks the suite's files; 'package VERSION' where none does, as for an installed
        package; 'unknown' where git is missing or refuses, as it does in a clone that belongs to another user.
    clean: True if no file of the suite differs from the commit or is untracked, None where that is not known.
    sources: unless clean, the sha256 of the suite's source files.
    """
    commit, clean = _commit(root)
    return {"commit": commit, "clean": clean} | ({} if clean else {"sources": source_digest(root)})


def _commit(root: Path) -> tuple[str, bool | None]:
    """Return `commit` and `clean` of `version_of`."""
    try:
        tracked = _git(root, "ls-files", "--error-unmatch", "--", "bench/runtime/provenance.py")
        if tracked.returncode == UNTRACKED or "not a git repository" in tracked.stderr:
            return f"package {_package_version()}", None
        commit = _git(root, "rev-parse", "--verify", "HEAD")
        status = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    except OSError:  # no git on this machine
        return UNKNOWN if (root / ".git").exists() else f"package {_package_version()}", None
    if tracked.returncode or commit.returncode:
        return UNKNOWN, None
    return commit.stdout.strip(), None if status.returncode else not status.stdout.strip()


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in GIT_VARIABLES}
    environment = variables | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}  # messages in English; no index written
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, env=environment)


def _package_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return UNKNOWN


def source_digest(root: Path) -> str:
    """Return the sha256, in hexadecimal, of the names and contents of the suite's visible Python and YAML files."""
    files = [file for folder in SOURCE_FOLDERS for file in (root / folder).rglob("*") if file.suffix in SOURCE_SUFFIXES]
    sha256 = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        if not any(part.startswith(".") for part in name.split("/")):
            content = file.read_bytes()
            sha256.update(f"{name} {len(content)}\n".encode() + content)
    return sha256.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that figures may depend on."""
    return {name: version(name) for name in LIBRARIES}
