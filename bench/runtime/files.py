"""Write files atomically, and list the visible files of a folder."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """Write to a temporary file and rename it into place.

    Temporary files that a killed process left behind are removed, so no other process may write the same file at the
    same time: hold a lock.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for remnant in target.parent.glob(f".{target.name}.*"):
        remnant.unlink()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # otherwise a power cut may leave an empty file of the new name
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)  # missing if a signal came right after the renaming
        if isinstance(error, OSError):
            error.filename = str(target)
        raise


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` for a new file or folder, and rename that to `target` if the block ends well.

    What the block has written is deleted otherwise, so `target` exists whole or not at all. The path has the suffix of
    `target`, which libraries look at.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{uuid.uuid4().hex}.{target.name}")
    try:
        yield aside
        os.replace(aside, target)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def visible(folder: Path, pattern: str) -> list[Path]:
    """Return the files below `folder` that match `pattern`, ascending, without hidden files and folders.

    A pattern of pathlib, unlike a shell's, matches hidden files such as the resource forks of macOS (`._x.json`).
    """
    files = (file for file in folder.glob(pattern) if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
