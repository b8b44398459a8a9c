"""Files of published data sets: identified by their md5, downloaded by torchvision, refused in one sentence."""

import hashlib
import http.client
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datamodules.base import DataError

# Where downloads go when a dataset is given no root.
DEFAULT_ROOT = "~/.cache/generative-trilemma"

# Without it, a node behind a firewall would wait minutes for each connection that nobody answers.
CONNECT_SECONDS = 10


def root_folder(root: str | None) -> Path:
    """`root`, or DEFAULT_ROOT for None, with ~ expanded."""
    return Path(DEFAULT_ROOT if root is None else root).expanduser()


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`; DataError if the system refuses it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def check_md5(path: Path, data: bytes, md5: str) -> None:
    """Raise DataError unless `data`, the content of `path`, has the hexadecimal digest `md5`."""
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise DataError(
            f"{path} ({len(data):,} bytes) has md5 {digest}, but the official file has {md5}: "
            "it is damaged or another file, so delete or replace it."
        )


def absence(title: str, names: Sequence[str], folders: Sequence[Path], missing: Sequence[str]) -> str:
    """Return the sentence, without its full stop, for a data set that lacks the files `missing` of `names`."""
    places = " or ".join(str(folder) for folder in folders)
    lacking = "none of them is there" if len(missing) == len(names) else f"it lacks {', '.join(missing)}"
    return f"{title} needs the files {', '.join(names)} in {places} (set by data.root), but {lacking}"


@contextmanager
def download(sentence: str) -> Iterator[None]:
    """Run a download in the block; if it fails, raise DataError with `sentence` and the cause."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        yield
    # What torchvision raises: RuntimeError when every mirror failed, OSError for the network and for the disk.
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        raise DataError(f"{sentence}; the download failed ({' '.join(str(error).split())}).") from error
    finally:
        socket.setdefaulttimeout(patience)
