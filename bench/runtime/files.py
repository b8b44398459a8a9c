"""Files that are written whole or not at all, and which files of a folder count."""

import os
import tempfile
from pathlib import Path


def write_text(target: Path, text: str) -> None:
    """`write_bytes` of UTF-8."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """Write a file aside, under a name of its own, and rename it into place.

    What a killed process has left aside is removed, so nobody else may be writing the same file: take a lock.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for unfinished in target.parent.glob(f".{target.name}.*"):
        unfinished.unlink()
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut may leave the new name with nothing behind it
        os.chmod(aside, 0o644)
        os.replace(aside, target)
    except BaseException as error:
        Path(aside).unlink(missing_ok=True)  # a signal may have come right after the renaming
        if isinstance(error, OSError):
            error.filename = str(target)
        raise


def visible(folder: Path, pattern: str) -> list[Path]:
    """The files below `folder` that fit `pattern`, ascending, but those that are hidden or in hidden folders.

    Of hidden files, such as the resource forks of macOS (`._x.json`), a pattern of pathlib matches what a shell's
    would not.
    """
    files = (file for file in folder.glob(pattern) if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
