"""The pictures of a comparison's runs, embedded in the page as data URIs within its size limit."""

import base64
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.plots.captions import CAPTIONS
from bench.report.collect import Comparison
from bench.report.details import Source
from bench.results.identity import identity
from bench.results.layout import ResultsFolder, row_file
from bench.results.records import Record
from bench.runtime.files import visible
from bench.table.rows import Row

OF_ROWS = {"samples": "Samples", "nearest": "Nearest training neighbours"}
DRAWN = ("steps", "guidance")  # pictures of a run that the page draws itself, from the records
ALTS = {
    "samples": "Samples of {}.",
    "nearest": "Samples of {} in the upper row, each above its nearest training image.",
}
ABOUT = {
    "samples": "Uncurated samples of each row; all rows use the same seeds.",
    "nearest": "The samples nearest to training images in feature space, above those images, with their distances; by "
    "aligned pixels, with their gaps, where a flag reports copies by these.",
}
# Kinds of pictures by importance, for a page that cannot hold all; others follow in the order of their names.
IMPORTANCE = (
    "samples", "nearest", "reconstructions", "latent-plane", "forward-chain", "film-strip", "denoising",
    "interpolations", "traversals", "codebook-usage",
)  # fmt: skip
SMALL = 420  # pixels; a narrower grid of images at their own size, which is enlarged with sharp edges
SIGNATURE = b"\x89PNG\r\n\x1a\n"
AROUND = 200  # bytes of a picture's own markup beside its data


@dataclass(frozen=True)
class Picture:
    """One picture of the page. width, height: pixels, 0 for a file that cannot be read."""

    file: Path
    path: str  # relative to the page
    name: str  # of the row or the model
    family: str
    seed: str  # empty where there is only one
    alt: str
    width: int
    height: int
    size: int  # bytes of the file

    @property
    def small(self) -> bool:
        return 0 < self.width < SMALL

    @property
    def uri_size(self) -> int:
        return (self.size + 2) // 3 * 4 + AROUND

    def uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.file.read_bytes()).decode()


@dataclass(frozen=True)
class Gallery:
    kind: str
    title: str
    about: str
    pictures: list[Picture]


def galleries(comparison: Comparison, rows: Sequence[tuple[Row, Sequence[Source]]]) -> list[Gallery]:
    """Return the pictures of each row and each model, of the first training seed where there are several."""
    pictures = {kind: row_pictures(kind, comparison, rows) for kind in OF_ROWS}
    runs_by_identity: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(comparison.records, key=lambda record: record.config.get("seed", 0)):
        runs_by_identity[identity(record)].append(record)
    for record, *others in runs_by_identity.values():
        for file in visible(ResultsFolder(comparison.folder).pictures(record.run_id), "*.png"):
            if file.stem.partition("-")[0] not in OF_ROWS and file.stem not in DRAWN:
                name = comparison.labels[identity(record)]
                alt = f"{name}: {CAPTIONS.get(file.stem, file.stem.replace('-', ' '))}"
                picture = read_picture(file, comparison, record, name, alt, bool(others))
                pictures.setdefault(file.stem, []).append(picture)
    return [
        Gallery(kind, OF_ROWS.get(kind) or title_of(kind), ABOUT.get(kind) or CAPTIONS.get(kind, ""), pictures[kind])
        for kind in sorted(pictures, key=importance)
        if pictures[kind]
    ]


def title_of(kind: str) -> str:
    return kind.replace("-", " ").capitalize()


def importance(kind: str) -> tuple[int, str]:
    return IMPORTANCE.index(kind) if kind in IMPORTANCE else len(IMPORTANCE), kind


def row_pictures(kind: str, comparison: Comparison, rows: Sequence[tuple[Row, Sequence[Source]]]) -> list[Picture]:
    """Return the rows' pictures of one kind."""
    result = []
    for row, sources in rows:
        for source in sorted(sources, key=lambda source: source.record.config.get("seed", 0))[:1]:
            folder = ResultsFolder(comparison.folder).pictures(source.record.run_id)
            file = row_file(folder, kind, dict(source.protocol)["sampler"])
            if file.is_file():
                alt = ALTS[kind].format(row.name)
                result.append(read_picture(file, comparison, source.record, row.name, alt, row.seeds > 1))
    return result


def read_picture(file: Path, comparison: Comparison, record: Record, name: str, alt: str, several: bool) -> Picture:
    path = file.relative_to(comparison.folder).as_posix()
    seed = str(record.config["seed"]) if several else ""
    size = file.stat().st_size
    width, height = dimensions(file)
    return Picture(file, f"{comparison.place}/{path}".lstrip("/"), name, record.family, seed, alt, width, height, size)


def dimensions(file: Path) -> tuple[int, int]:
    """Return width and height of a PNG in pixels; 0, 0 for anything else."""
    with file.open("rb") as opened:
        head = opened.read(24)
    return struct.unpack(">II", head[16:24]) if head.startswith(SIGNATURE) and len(head) == 24 else (0, 0)


def embedded_paths(galleries: Iterable[Gallery], room: int) -> set[str]:
    """Return the paths of the pictures that fit into `room` bytes of the page, the more important kinds first."""
    ordered = sorted(galleries, key=lambda gallery: importance(gallery.kind))
    pictures = [picture for gallery in ordered for picture in gallery.pictures]
    times = Counter(picture.path for picture in pictures)  # a run may stand in several comparisons
    paths = set()
    for picture in {picture.path: picture for picture in pictures}.values():
        size = picture.uri_size * times[picture.path]
        if picture.width and size <= room:
            paths.add(picture.path)
            room -= size
    return paths
