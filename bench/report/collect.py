"""Collect the records of a results folder and the folders below it into comparisons, one table each."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evaluation.protocol import Protocol
from bench.results.records import Failure, Record, Result, failures, read_all
from bench.results.selection import REFERENCES, TableError, ability_protocols, comparable, narrowed, presets, stamp
from bench.table.aggregate import names
from bench.table.build import Table, build

OTHERS = {"runs", "pictures", "records", "failures", "locks"}  # folders without results folders below them


@dataclass(frozen=True)
class Comparison:
    """Records of one folder, data set, stamp and evaluation setting, with their table."""

    folder: Path
    place: str  # the folder relative to the page's; "" for the same
    data: str
    preset: str
    records: list[Record]  # the table's
    labels: dict[str, str]  # identity -> its name in the table
    failures: list[Failure]  # of the same data and preset
    table: Table | None
    trouble: str = ""  # why there is no table


@dataclass(frozen=True)
class Collection:
    comparisons: list[Comparison]
    unplaced: list[str]  # a sentence for each run without figures and without a table that names it


def collect(results: Path) -> Collection:
    """Collect all records below a results folder. TableError if there are none."""
    comparisons: list[Comparison] = []
    unplaced: list[str] = []
    for folder in folders(results):
        records = read_all(folder)
        place = "" if folder == results else folder.relative_to(results).as_posix()
        local = comparisons_in(folder, place, records)
        comparisons += local
        named = {failure.run_id for comparison in local if comparison.table for failure in comparison.failures}
        unplaced += [
            f"{failure.run_id} failed: {failure.cause}" for failure in failures(folder) if failure.run_id not in named
        ]
        unplaced += [f"{run.run_id} is trained but not evaluated yet" for run in records if unevaluated(run)]
    if not comparisons and not unplaced:
        raise TableError(
            f"{results}: no records here or in a folder below; run `bench train` first, or name another results=DIR"
        )
    return Collection(comparisons, unplaced)


def folders(results: Path) -> list[Path]:
    """Return `results` and the results folders below it, itself first."""
    result = []
    for path, below, _ in os.walk(results):
        if {"records", "failures"} & set(below):
            result.append(Path(path))
        below[:] = sorted(name for name in below if name not in OTHERS and not name.startswith("."))
    return result


def unevaluated(record: Record) -> bool:
    return record.family not in REFERENCES and not record.results


def comparisons_in(folder: Path, place: str, records: Sequence[Record]) -> list[Comparison]:
    """Return the comparisons of one folder's records; baselines are in each comparison of their data."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.family not in REFERENCES and record.results:
            groups[data_of(record), stamp(record)].append(record)
    references = [record for record in records if record.family in REFERENCES]
    lonely = {data_of(record) for record in references} - {data for data, _ in groups}
    for data in sorted(lonely):
        groups[data, ""] = []
    return [
        with_table(folder, place, data, part, [record for record in references if data_of(record) == data])
        for (data, _), runs in groups.items()
        for part in split(runs) or [[]]
    ]


def data_of(item: Record | Failure) -> str:
    return str(item.config["data"]["name"])


def split(runs: Sequence[Record]) -> list[list[Record]]:
    """Split runs of one stamp and data into parts that share an evaluation setting."""
    settings = {
        protocol.setting(): protocol for run in runs for protocol in map(protocol_of, run.results.values())
    }  # in the order of the records
    parts = []
    for setting, protocol in settings.items():
        narrowed_runs = [narrowed(run, {}, setting) for run in runs]
        if has_several_settings(narrowed_runs):
            selection = {"samples": protocol.samples, "seed": protocol.seed, "chunk": protocol.chunk}
            narrowed_runs = [narrowed(run, selection, setting) for run in runs]
        parts.append([run for run in narrowed_runs if run.results])
    return parts


def protocol_of(result: Result) -> Protocol:
    return Protocol.from_dict(result.protocol)


def has_several_settings(runs: Sequence[Record]) -> bool:
    """Return whether a task was measured under more than one setting."""
    protocols = ability_protocols(runs)
    return len({protocol.setting() for protocol in protocols}) > len({protocol.ability for protocol in protocols})


def with_table(folder: Path, place: str, data: str, runs: Sequence[Record], references: Sequence[Record]) -> Comparison:
    """Return the comparison with its table, or with the reason why there is none."""
    records, preset = [*runs, *references], presets(runs)
    own_presets = {run.preset for run in runs}
    failed = [item for item in failures(folder) if item.config["preset"] in own_presets and data_of(item) == data]
    try:
        table = build(records, folder)
    except TableError as error:
        trouble = str(error).replace(str(folder), place or "results")
        return Comparison(folder, place, data, preset, records, names(records), failed, None, trouble)
    selected_runs, selected_references, _ = comparable(records, folder)
    table_records = [*selected_runs, *selected_references]
    return Comparison(folder, place, data, preset, table_records, names(table_records), failed, table)
