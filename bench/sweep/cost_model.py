"""How long runs will take, from the records of runs like them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.config.schema import Config
from bench.results.identity import alike
from bench.results.records import Record, find, read_all
from bench.results.selection import describe
from bench.runtime.provenance import HOUSE

PUBLISHED = HOUSE / "results" / "published"


@dataclass(frozen=True)
class Cost:
    """An estimate of what a run will take."""

    seconds: float
    machines: tuple[str, ...]  # that it was measured on


class Costs:
    """Estimates from the records of one results folder, or from the published records where that has none."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.sources = [Past(read_all(results)), Past(read_all(PUBLISHED))]
        self.known: dict[str, Cost | None] = {}

    def add(self, run_id: str) -> None:
        """A run that has been recorded since."""
        if record := find(self.results, run_id):
            self.sources[0].add(record)
            self.known.clear()

    def of(self, config: Config) -> Cost | None:
        """The estimate from runs that differ in their seed alone, or else from runs of the same model and data."""
        key = alike(config.model_dump())
        if key not in self.known:
            found = [source.alike[key] for source in self.sources if key in source.alike]
            found += [source.same[pair] for source in self.sources if (pair := names(config)) in source.same]
            self.known[key] = cost(found[0], config.train.images) if found else None
        return self.known[key]


class Past:
    """Records of runs, by what makes them alike."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.alike: dict[str, list[Record]] = defaultdict(list)
        self.same: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        if record.images_seen:
            self.alike[alike(record.config)].append(record)
            self.same[record.config["model"]["name"], record.config["data"]["name"]].append(record)


def names(config: Config) -> tuple[str, str]:
    return config.model["name"], config.data["name"]


def cost(records: Sequence[Record], images: int) -> Cost:
    """Their mean; the training goes with the number of images, the evaluation does not."""
    seconds = fmean(run.train_seconds / run.images_seen * images + run.evaluate_seconds for run in records)
    return Cost(seconds, tuple(sorted({describe(run.hardware) for run in records})))


def makespan(waiting: Sequence[tuple[float, int]], running: Sequence[tuple[float, int]], places: int) -> float:
    """Seconds until the last of all has ended, where each takes (seconds, places) and starts in this order."""
    ends = [0.0] * places
    for seconds, wide in [*running, *waiting]:
        ends.sort()
        taken = min(wide, places)
        ends[:taken] = [ends[taken - 1] + seconds] * taken
    return max(ends)
