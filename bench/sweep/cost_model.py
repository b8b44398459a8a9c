"""Estimate how long runs will take from the records of similar runs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.config.schema import Config
from bench.results.identity import alike
from bench.results.records import Record, find, read_all
from bench.results.selection import describe
from bench.runtime.provenance import ROOT

PUBLISHED = ROOT / "results" / "published"
START_SECONDS = 15.0  # of a process, until its first timing


@dataclass(frozen=True)
class Cost:
    """An estimate of what a run will take."""

    seconds: float
    machines: tuple[str, ...]  # that it was measured on


Seconds = Callable[[Record, int], float | None]


def run_seconds(record: Record, images: int) -> float:
    """Return the seconds of a run; training time is proportional to the number of images, evaluation time is not."""
    return record.train_seconds / record.images_seen * images + record.evaluate_seconds


def timing_seconds(record: Record, images: int) -> float | None:
    """Return the seconds in which a process of its own times a run's samplers; None of a run that was never timed."""
    timings = [result.timing for result in record.results.values() if result.timing]
    calls = sum(
        timing["seconds_per_100"] * timing["images"] / 100 * timing["repeats"]
        + timing["latency"] * (1 + timing["repeats"])
        for timing in timings
    )
    return START_SECONDS + calls if timings else None


class Costs:
    """Estimates from the records of one results folder, or from the published records where that has none.

    seconds: what a run of so many images takes, by a similar run's record; None where the record does not tell.
    """

    def __init__(self, results: Path, seconds: Seconds = run_seconds) -> None:
        self.results, self.seconds = results, seconds
        self.sources = [RunHistory(read_all(results)), RunHistory(read_all(PUBLISHED))]
        self.estimates: dict[str, Cost | None] = {}

    def add(self, run_id: str) -> None:
        """Add a run that has been recorded since."""
        if record := find(self.results, run_id):
            self.sources[0].add(record)
            self.estimates.clear()

    def estimate(self, config: Config) -> Cost | None:
        """Return the mean of runs that differ in their seed alone, or else of runs of the same model and data."""
        key = alike(config.model_dump())
        if key not in self.estimates:
            pair = model_and_data(config)
            samples = [source.by_settings[key] for source in self.sources if key in source.by_settings]
            samples += [source.by_model_and_data[pair] for source in self.sources if pair in source.by_model_and_data]
            costs = (mean_cost(records, config.train.images, self.seconds) for records in samples)
            self.estimates[key] = next((cost for cost in costs if cost), None)
        return self.estimates[key]


class RunHistory:
    """Records of runs, by their settings less the seed, and by model and data."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.by_settings: dict[str, list[Record]] = defaultdict(list)
        self.by_model_and_data: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Add a record, unless nothing was trained for it."""
        if record.images_seen:
            self.by_settings[alike(record.config)].append(record)
            self.by_model_and_data[record.config["model"]["name"], record.config["data"]["name"]].append(record)


def model_and_data(config: Config) -> tuple[str, str]:
    """Return the names of the model and of the data."""
    return config.model["name"], config.data["name"]


def mean_cost(records: Sequence[Record], images: int, seconds: Seconds) -> Cost | None:
    """Return the mean by the records that tell; None if none does."""
    known = {record.run_id: cost for record in records if (cost := seconds(record, images)) is not None}
    machines = {describe(record.hardware) for record in records if record.run_id in known}
    return Cost(fmean(known.values()), tuple(sorted(machines))) if known else None


def makespan(waiting: Sequence[tuple[float, int]], running: Sequence[tuple[float, int]], places: int) -> float:
    """Return the seconds until the last run has ended; each takes (seconds, places) and starts in this order."""
    ends = [0.0] * places
    for seconds, width in [*running, *waiting]:
        ends.sort()
        width = min(width, places)
        ends[:width] = [ends[width - 1] + seconds] * width
    return max(ends)
