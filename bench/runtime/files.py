"""Write files atomically, and list the visible files of a folder."""

import os
import tempfile
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


def visible(folder: Path, pattern: str) -> list[Path]:
    """Return the files below `folder` that match `pattern`, ascending, without hidden files and folders.

    A pattern of pathlib, unlike a shell's, matches hidden files such as the resource forks of macOS (`._x.json`).
    """
    files = (file for file in folder.glob(pattern) if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
