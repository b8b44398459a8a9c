"""A tar of image files, also as a shard of a webdataset: members of one key are one sample, `000.png` with `000.cls`.

The images are in the order of their paths, as those of a folder, whatever their order in the archive.
"""

import io
import lzma
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress
from bench.evaluation.image_files.image_set import ImageSet, Shape, damaged, image_error
from bench.evaluation.image_files.lossless import FORMATS, LOSSY, Stored, decode_all, encode
from bench.runtime.files import written_aside

LABEL = ".cls"  # a webdataset's ending of a file with one class, as digits
DAMAGED = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error, lzma.LZMAError)
HIDDEN, SPECIAL = "hidden", "no regular files"


class Members:
    """The members of an archive that are data, by their path in it, and how many others there are of each kind."""

    def __init__(self, path: Path, members: list[tarfile.TarInfo]) -> None:
        self.images: dict[str, tarfile.TarInfo] = {}
        self.left_out: Counter[str] = Counter()
        for member in members:
            self.take(path, member)

    def take(self, path: Path, member: tarfile.TarInfo) -> None:
        """Sort one member; raise EvaluationError for a name that the archive has twice."""
        place = PurePosixPath(member.name)
        name, ending = place.as_posix(), place.suffix.lower()
        if member.isdir():
            return
        if any(part.startswith(".") for part in place.parts):
            self.left_out[HIDDEN] += 1
        elif not member.isfile():
            self.left_out[SPECIAL] += 1
        elif ending in FORMATS:
            if name in self.images:
                raise image_error(path, f"holds {name} twice; pack each image once")
            self.images[name] = member
        else:
            self.left_out[ending or "without ending"] += 1

    @property
    def note(self) -> str:
        """'left out N .json, M hidden', the most frequent first; empty where nothing was."""
        kinds = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0]))
        return "left out " + ", ".join(f"{count:,} {kind}" for kind, count in kinds) if kinds else ""


def read(path: Path, shape: Shape | None, progress: Progress | None = None) -> ImageSet:
    """Read the images of a tar, which may be compressed.

    shape: C x H x W of the data; None takes the first image's. Raises EvaluationError for an archive that is damaged
    or has no images, and for a member that is there twice or that `decode` refuses.
    """
    try:
        with tarfile.open(path) as archive:
            members = Members(path, archive.getmembers())
            check_end(path, archive)
            if not members.images:
                lossy = "; lossy files have other pixels than the samples had" if LOSSY & set(members.left_out) else ""
                held = f"{members.note or 'it is empty'}{lossy}"
                raise image_error(path, f"holds no {', '.join(FORMATS)} file ({held}); save the samples as 8-bit PNG")
            images = decode_all(opened(path, archive, members.images), len(members.images), shape, progress)
    except EvaluationError:
        raise
    except DAMAGED as error:
        raise damaged(path, error) from error
    return ImageSet(images, members.note)


def check_end(path: Path, archive: tarfile.TarFile) -> None:
    """Raise EvaluationError unless the members end at a block of zeros, as a whole archive's do.

    `tarfile` takes a header that is missing or damaged for the end.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise image_error(path, "cannot be read: it is cut off or damaged")


def opened(path: Path, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Iterator[Stored]:
    """Open the images in the order of the archive, since a compressed one is slow to go back in."""
    numbers = {name: number for number, name in enumerate(sorted(members))}
    for name, member in members.items():
        file = archive.extractfile(member)
        assert file is not None  # a regular file
        form = FORMATS[PurePosixPath(name).suffix.lower()]
        yield numbers[name], f"{path}:{name}", io.BytesIO(file.read()), form


def write(images: Tensor, labels: Tensor | None, path: Path) -> None:
    """Write uint8 N x C x H x W as a shard of a webdataset, with int64 labels N; `.gz` and `.tgz` are compressed."""
    mode: Literal["w:gz", "w"] = "w:gz" if path.suffix in (".gz", ".tgz") else "w"
    with written_aside(path) as aside, tarfile.open(aside, mode) as archive:
        for number, image in enumerate(images):
            _add(archive, f"{number:06}.png", encode(image))
            if labels is not None:
                _add(archive, f"{number:06}{LABEL}", str(int(labels[number])).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # with the time 0, so that equal samples give equal archives
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
