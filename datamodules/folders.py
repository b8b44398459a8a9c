"""A user's folder of images: which files below it are data, and how many others are skipped, by kind."""

import heapq
import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.base import DataError

HIDDEN, BROKEN, REPEATED, SPECIAL = "hidden", "broken links", "links to what is read already", "no regular files"
# Copies that archives and file servers keep beside the images, under names that do not begin with a dot.
SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}


@dataclass
class Listing:
    """The files below a folder that are data, in the order of their paths in it, and how many others were left out.

    left_out: by lower-case ending, or by HIDDEN (of which a folder counts as one), BROKEN, REPEATED and SPECIAL.
    """

    files: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def note(self) -> str:
        """'left out N .txt, M hidden', the most frequent first; empty where nothing was."""
        kinds = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0]))
        return "left out " + ", ".join(f"{count:,} {kind}" for kind, count in kinds) if kinds else ""


def list_files(folder: Path, endings: Collection[str], key: str) -> Listing:
    """List the files below `folder` whose ending, in lower case, is one of `endings`.

    Names that begin with a dot, and SYSTEM_FOLDERS, are hidden and never data. Symbolic links are followed once:
    what a path without links reaches is taken by that path, anything else by the first link to it, and a link to a
    folder that contains `folder` is not followed.

    key: the setting that names `folder`, for messages.

    Raises DataError for a folder that is missing, and for any folder below it that cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{key}={folder} is not a folder.")
    walk = _Walk(folder, endings)
    try:
        walk.descend(folder, folder.resolve())
        walk.follow_links()
    except OSError as error:
        raise DataError(f"{key}={folder}: {error.filename} cannot be read: {error.strerror}.") from error
    walk.listing.files.sort(key=walk.place)
    return walk.listing


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in `folder`, links to folders included, ascending; hidden ones are left out."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not _hidden(path.name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM_FOLDERS


class _Walk:
    """A walk below one folder; `reached` holds the real paths of the folders and files met so far."""

    def __init__(self, folder: Path, endings: Collection[str]) -> None:
        self.folder, self.endings = folder, endings
        self.listing = Listing()
        self.reached: set[Path] = set(folder.resolve().parents)
        self.links: list[tuple[str, Path]] = []  # a heap, so that the first by its path is followed first

    def place(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def descend(self, folder: Path, real: Path) -> None:
        """Take the files below `folder`, whose real path is `real`, and keep the links there for later."""
        if real in self.reached:
            self.listing.left_out[REPEATED] += 1
            return
        self.reached.add(real)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            if _hidden(entry.name):
                self.listing.left_out[HIDDEN] += 1
            elif entry.is_symlink():
                heapq.heappush(self.links, (self.place(path), path))
            elif entry.is_dir():
                self.descend(path, real / entry.name)
            else:
                self.take(path, real / entry.name)

    def follow_links(self) -> None:
        """Take the targets of the links, links behind links included."""
        while self.links:
            _, link = heapq.heappop(self.links)
            if link.is_dir():
                self.descend(link, link.resolve())
            elif link.exists():
                self.take(link, link.resolve())
            else:
                self.listing.left_out[BROKEN] += 1

    def take(self, path: Path, real: Path) -> None:
        """Count a file as data or as skipped."""
        ending = path.suffix.lower()
        if real in self.reached:
            self.listing.left_out[REPEATED] += 1
        elif not path.is_file():
            self.listing.left_out[SPECIAL] += 1
        elif ending in self.endings:
            self.listing.files.append(path)
        else:
            self.listing.left_out[ending or "without ending"] += 1
        self.reached.add(real)
