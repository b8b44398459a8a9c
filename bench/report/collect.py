"""A results folder and those below it -> comparisons, each of them what one table can hold."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evaluation.protocol import Protocol
from bench.results.records import Failure, Record, Result, failures, read_all
from bench.results.selection import REFERENCES, TableError, ability_protocols, comparable, narrowed
from bench.table.aggregate import names
from bench.table.build import Table, build

OTHERS = {"runs", "pictures", "records", "failures", "locks"}  # folders that hold no results folder of their own


@dataclass(frozen=True)
class Comparison:
    """Records of one folder, data set, preset and evaluation setting, with the table made of them."""

    folder: Path
    place: str  # the folder as seen from the page; "" beside it
    data: str
    preset: str
    records: list[Record]  # the table's
    called: dict[str, str]  # identity -> what the table calls it
    failures: list[Failure]  # of the same data and preset
    table: Table | None
    trouble: str = ""  # why there is no table


@dataclass(frozen=True)
class Collected:
    comparisons: list[Comparison]
    unplaced: list[str]  # a sentence about each run that has no figures and no table to be named under


def collect(results: Path) -> Collected:
    """Everything that is recorded below a results folder. TableError if that is nothing."""
    comparisons: list[Comparison] = []
    unplaced: list[str] = []
    for folder in folders(results):
        made = compare(folder, "" if folder == results else folder.relative_to(results).as_posix())
        comparisons += made
        named = {failure.run_id for one in made if one.table for failure in one.failures}
        unplaced += [
            f"{failure.run_id} failed: {failure.cause}" for failure in failures(folder) if failure.run_id not in named
        ]
        unplaced += [f"{run.run_id} is trained and not evaluated yet" for run in read_all(folder) if unevaluated(run)]
    if not comparisons and not unplaced:
        raise TableError(
            f"{results}: no records here or in a folder below; run `bench train` first, or name another results=DIR"
        )
    return Collected(comparisons, unplaced)


def folders(results: Path) -> list[Path]:
    """The results folders from `results` on downwards, itself first."""
    found = []
    for path, below, _ in os.walk(results):
        if {"records", "failures"} & set(below):
            found.append(Path(path))
        below[:] = sorted(name for name in below if name not in OTHERS and not name.startswith("."))
    return found


def unevaluated(record: Record) -> bool:
    return record.family not in REFERENCES and not record.results


def compare(folder: Path, place: str) -> list[Comparison]:
    """The comparisons of one folder's records; references stand in each that they are data of."""
    records = read_all(folder)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.family not in REFERENCES and record.results:
            groups[record.config["data"]["name"], record.preset].append(record)
    references = [record for record in records if record.family in REFERENCES]
    lonely = {one.config["data"]["name"] for one in references} - {data for data, _ in groups}
    for data in sorted(lonely):
        groups[data, ""] = []
    return [
        tabled(folder, place, data, preset, part + [one for one in references if one.config["data"]["name"] == data])
        for (data, preset), runs in groups.items()
        for part in split(runs) or [[]]
    ]


def split(runs: Sequence[Record]) -> list[list[Record]]:
    """Runs of one preset and data, in parts that share an evaluation setting."""
    settings = {
        protocol.setting(): protocol for run in runs for protocol in map(stated, run.results.values())
    }  # in the order of the records
    parts = []
    for setting, protocol in settings.items():
        chosen = [narrowed(run, {}, setting) for run in runs]
        if several_ways(chosen):
            wanted = {"samples": protocol.samples, "seed": protocol.seed, "chunk": protocol.chunk}
            chosen = [narrowed(run, wanted, setting) for run in runs]
        parts.append([run for run in chosen if run.results])
    return parts


def stated(result: Result) -> Protocol:
    return Protocol.from_dict(result.protocol)


def several_ways(runs: Sequence[Record]) -> bool:
    """Whether an ability was measured under more than one setting."""
    protocols = ability_protocols(runs)
    return len({one.setting() for one in protocols}) > len({one.ability for one in protocols})


def tabled(folder: Path, place: str, data: str, preset: str, records: list[Record]) -> Comparison:
    """The comparison with its table, or with the sentence that says why there is none."""
    failed = [one for one in failures(folder) if one.config["preset"] == preset and one.config["data"]["name"] == data]
    try:
        table = build(records, folder)
    except TableError as error:
        said = str(error).replace(str(folder), place or "results")
        return Comparison(folder, place, data, preset, records, names(records), failed, None, said)
    runs, references, _ = comparable(records, folder)
    shown = [*runs, *references]
    return Comparison(folder, place, data, preset, shown, names(shown), failed, table)
