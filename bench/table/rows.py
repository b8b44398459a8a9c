"""Records -> the rows of block two: means over training seeds of one model under one sampler."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.evaluation.protocol import GROUPS, ROW_FIELDS, Protocol
from bench.results.identity import headline, identity
from bench.results.records import FLOOR, OUTSIDE, Record, Result
from bench.results.selection import describe
from bench.table.aggregate import over_seeds, seeds
from bench.table.columns import in_units, keys_on
from bench.table.figure import Figure, Figures
from bench.table.rules import BASELINES

Group = Sequence[tuple[Record, Result]]  # what one row is made of
TIMED = ("nfe", "seconds_per_100", "images_per_second", "peak_memory_mb", "latency")  # of a timing
COLUMN_OF = {"latency": "latency_ms"}
OF_FID = ("fid_quarter", "fid_half")  # figures of fewer samples, of FID's version


@dataclass(frozen=True)
class Row:
    """A line of block two: the figures of one model under one sampler, means over its training seeds."""

    name: str
    model: str
    family: str
    sampler: str  # "default" of a model with one way to sample
    headline: bool  # whether the sampler is the one that speaks for the model
    figures: Figures  # intervals: over training seeds; of one seed over samples, or over the calls that were timed
    versions: dict[str, int]  # of the metrics that the figures are of
    seeds: int  # distinct training seeds
    samples: int  # that each seed was judged on
    machine: str  # that timed it, "" where none did or several
    protocols: tuple[str, ...]  # fingerprints of what the figures were measured under
    flags: tuple[str, ...]  # what makes them doubtful
    missing: tuple[str, ...]  # sentences about the figures that it has no mean of


def gather(records: Sequence[Record], called: Mapping[str, str]) -> list[Row]:
    """Rows over training seeds: records alike but for their seed, result by result of the same sampler."""
    groups: dict[str, dict[str, list[tuple[Record, Result]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for result in record.results.values():
            groups[identity(record)][json.dumps(way(result), sort_keys=True)].append((record, result))
    return [row for model, ways in groups.items() for row in rows_of(called[model], list(ways.values()))]


def way(result: Result) -> dict[str, Any]:
    """How a result's samples were drawn: what the rows of one model differ by."""
    return {key: result.protocol[key] for key in ROW_FIELDS}


def rows_of(model: str, groups: Sequence[Group]) -> list[Row]:
    """The rows of one model, one of them its headline row if its sampler was measured."""
    speaking = min((group for group in groups if speaks(*group[0])), key=lambda group: strange(*group[0]), default=None)
    ways = [way(group[0][1]) for group in groups]
    return [
        merge(group, model, row_name(model, group[0][0], own, ways), group is speaking)
        for group, own in zip(groups, ways, strict=True)
    ]


def speaks(record: Record, result: Result) -> bool:
    return record.family not in (FLOOR, OUTSIDE) and result.protocol["sampler"] == headline(record)


def strange(record: Record, result: Result) -> tuple[bool, bool]:
    """Whether a result is of other settings than the configuration gives its sampler, or of another precision."""
    stated = result.protocol
    configured = record.config.get("samplers", {}).get(stated["sampler"], {})
    usual = "bfloat16" if record.precision == "bf16-mixed" else "float32"
    return dict(stated["sampler_settings"]) != configured, stated["precision"] != usual


def row_name(model: str, record: Record, own: dict[str, Any], ways: Sequence[dict[str, Any]]) -> str:
    """The model and its sampler, and in what it differs from the model's other rows of that sampler."""
    if record.family == FLOOR:
        return BASELINES.get(model, model)
    if record.family == OUTSIDE:
        return model
    alike = [other for other in ways if other["sampler"] == own["sampler"]]
    parts = [model, *([] if own["sampler"] == headline(record) == "default" else [own["sampler"]])]
    for key in ("sampler_settings", "precision", "weights"):
        if any(other[key] != own[key] for other in alike):
            parts.append(words(own[key]))
    return ", ".join(parts)


def words(value: Any) -> str:
    return " ".join(f"{key}={one}" for key, one in dict(value).items()) if not isinstance(value, str) else value


def merge(group: Group, model: str, name: str, headline: bool) -> Row:
    record, result = group[0]
    versions, missing = comparable_metrics(group)
    machines = sorted({describe(result.hardware) for _, result in group if result.timing})
    trained = sorted({describe(record.hardware) for record, _ in group if record.hardware})
    dropped = {*(keys_on("sampling") if len(machines) > 1 else ()), *(keys_on("training") if len(trained) > 1 else ())}
    missing += [f"timings: the seeds were timed on {' and on '.join(machines)}"] if len(machines) > 1 else []
    missing += [f"training time: the seeds were trained on {' and on '.join(trained)}"] if len(trained) > 1 else []
    each = [figures(*pair, versions) for pair in group]
    means = {key: figure for key, figure in over_seeds(each).items() if key not in dropped}
    if "modes" in means and (count := result.protocol.get("mode_count", 0)):
        means["modes"] = means["modes"].within((0.0, float(count)))
    return Row(
        name=name,
        model=model,
        family=record.family,
        sampler=result.protocol["sampler"],
        headline=headline,
        figures=means,
        versions=versions,
        seeds=seeds([record for record, _ in group]),
        samples=result.protocol["samples"],
        machine=machines[0] if len(machines) == 1 else "",
        protocols=tuple(sorted({Protocol.from_dict(result.protocol).fingerprint() for _, result in group})),
        flags=tuple(dict.fromkeys(flag for _, result in group for flag in result.flags)),
        missing=tuple(missing),
    )


def comparable_metrics(group: Group) -> tuple[dict[str, int], list[str]]:
    """Metric -> version, of those that all seeds have in one version; and a sentence about each that they have not."""
    versions: dict[str, int] = {}
    lacking: dict[str, list[str]] = defaultdict(list)  # the sentence's end -> metrics
    for name in dict.fromkeys(name for _, result in group for name in result.metrics):
        each = [result.versions.get(name, 1) if name in result.metrics else 0 for _, result in group]
        if len(set(each)) == 1:
            versions |= dict.fromkeys((name, *(OF_FID if name == "fid" else ())), each[0])
            continue
        due = [record.run_id for (record, _), version in zip(group, each, strict=True) if version < max(each)]
        lacking[f"of {len(group) - len(due)} of {len(group)} seeds only; `bench train` again computes it for "
                + ", ".join(due)].append(name)  # fmt: skip
    return versions, [f"{', '.join(metrics)} {end}" for end, metrics in lacking.items()]


def figures(record: Record, result: Result, versions: Mapping[str, int]) -> Figures:
    """The figures of one result under the columns' keys and in their units, of the metrics in `versions`."""
    found = {name: measured(name, result) for name in result.metrics if name in versions}
    if "fid" in versions:
        found |= {key: Figure(fid) for key, (_, fid) in zip(OF_FID, sorted(result.fid_by_count.items()), strict=False)}
    found |= timings(result.timing)
    if record.images_seen:
        found["parameters"] = Figure(record.parameters)
        found["images_seen"] = Figure(record.images_seen)
        found["train_minutes"] = Figure(record.train_seconds)
    return {key: in_units(key, figure) for key, figure in found.items()}


def measured(name: str, result: Result) -> Figure:
    """A metric as it is recorded, with its interval over samples."""
    low, high = result.intervals.get(name, (None, None))
    return Figure(result.metrics[name], low, high, GROUPS - 1)


def timings(timing: Mapping[str, Any]) -> Figures:
    """What a timing says, without what could not be measured; its interval is over the repeated calls."""
    if not timing:
        return {}
    freedom = max(1, timing["repeats"] - 1)
    found = {}
    for name in TIMED:
        if timing[name] is not None:
            ends = timing.get(f"{name}_interval")
            low, high = ends or (None, None)
            found[COLUMN_OF.get(name, name)] = Figure(timing[name], low, high, freedom if ends else 0.0)
    return found
