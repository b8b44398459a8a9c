"""Build the rows of figures from records: means over training seeds of one model under one sampler."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.evaluation.protocol import GROUPS, ROW_FIELDS, Protocol, Setting
from bench.results.identity import headline, identity
from bench.results.records import BASELINE_FAMILY, EXTERNAL_FAMILY, Record, Result
from bench.results.selection import describe
from bench.runtime.load import contention
from bench.table.aggregate import over_seeds, seeds
from bench.table.columns import in_units, keys_on
from bench.table.figure import Figure, Figures
from bench.table.rules import BASELINES

Version = int | str  # of a metric; str: a digest of the sources of one of the user's own
Group = Sequence[tuple[Record, Result]]  # the results of one row
TIMED = ("nfe", "seconds_per_100", "images_per_second", "peak_memory_mb", "latency")  # of a timing
COLUMN_OF = {"latency": "latency_ms"}
DISTURBED = 0.25  # cores that a timed sampler lacks, from which on it is flagged; the system itself takes up to .1
OF_FID = ("fid_quarter", "fid_half")  # figures of fewer samples, of FID's version


@dataclass(frozen=True)
class Row:
    """The figures of one model under one sampler, means over its training seeds."""

    name: str
    model: str
    family: str
    sampler: str  # "default" of a model with one way to sample
    sampler_settings: tuple[tuple[str, Setting], ...]
    configured: bool  # whether the sampler is one that the run's configuration names
    headline: bool  # whether the sampler represents the model
    figures: Figures  # intervals: over training seeds; for one seed over samples, or over timed calls
    by_label: tuple[Figures, ...]  # of the samples of each label, with intervals over training seeds only
    versions: dict[str, Version]  # of the figures' metrics
    seeds: int  # distinct training seeds
    samples: int  # of each seed's evaluation
    machine: str  # of the timings, "" where there are none or several machines
    protocols: tuple[str, ...]  # fingerprints of the figures' protocols
    flags: tuple[str, ...]  # reasons to doubt the figures
    missing: tuple[str, ...]  # sentences on figures without a mean


def gather(records: Sequence[Record], labels: Mapping[str, str]) -> list[Row]:
    """Build rows from records that are equal but for their seed, grouping the results of the same sampler."""
    groups: dict[str, dict[str, list[tuple[Record, Result]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for result in record.results.values():
            groups[identity(record)][json.dumps(sampling(result), sort_keys=True)].append((record, result))
    return [row for model, samplings in groups.items() for row in rows_of(labels[model], list(samplings.values()))]


def sampling(result: Result) -> dict[str, Any]:
    """Return how a result's samples were drawn, in which the rows of one model differ."""
    return {key: result.protocol[key] for key in ROW_FIELDS}


def rows_of(model: str, groups: Sequence[Group]) -> list[Row]:
    """Build the rows of one model; one of them is its headline row if that sampler was measured."""
    headline_group = min(
        (group for group in groups if is_headline(*group[0])), key=lambda group: deviations(*group[0]), default=None
    )
    samplings = [sampling(group[0][1]) for group in groups]
    return [
        merge(group, model, row_name(model, group[0][0], sampling_of_group, samplings), group is headline_group)
        for group, sampling_of_group in zip(groups, samplings, strict=True)
    ]


def is_headline(record: Record, result: Result) -> bool:
    return record.family not in (BASELINE_FAMILY, EXTERNAL_FAMILY) and result.protocol["sampler"] == headline(record)


def deviations(record: Record, result: Result) -> tuple[bool, bool]:
    """Return whether a result's sampler settings, and its precision, differ from the configuration's."""
    protocol = result.protocol
    settings = record.config.get("samplers", {}).get(protocol["sampler"], {})
    usual = "bfloat16" if record.precision == "bf16-mixed" else "float32"
    return dict(protocol["sampler_settings"]) != settings, protocol["precision"] != usual


def row_name(model: str, record: Record, sampling: dict[str, Any], samplings: Sequence[dict[str, Any]]) -> str:
    """Name the model and its sampler, and the settings that differ between the model's rows of that sampler."""
    if record.family == BASELINE_FAMILY:
        return BASELINES.get(model, model)
    if record.family == EXTERNAL_FAMILY:
        return model
    same_sampler = [other for other in samplings if other["sampler"] == sampling["sampler"]]
    parts = [model, *([] if sampling["sampler"] == headline(record) == "default" else [sampling["sampler"]])]
    for key in ("sampler_settings", "precision", "weights"):
        if any(other[key] != sampling[key] for other in same_sampler):
            parts.append(words(sampling[key]))
    return ", ".join(parts)


def words(value: Any) -> str:
    return " ".join(f"{key}={item}" for key, item in dict(value).items()) if not isinstance(value, str) else value


def merge(group: Group, model: str, name: str, headline: bool) -> Row:
    record, result = group[0]
    versions, missing = comparable_metrics(group)
    machines = sorted({describe(result.hardware) for _, result in group if result.timing})
    training_machines = sorted({describe(record.hardware) for record, _ in group if record.hardware})
    excluded = {
        *(keys_on("sampling") if len(machines) > 1 else ()),
        *(keys_on("training") if len(training_machines) > 1 else ()),
    }
    missing += [f"timings: the seeds were timed on {' and on '.join(machines)}"] if len(machines) > 1 else []
    missing += (
        [f"training time: the seeds were trained on {' and on '.join(training_machines)}"]
        if len(training_machines) > 1
        else []
    )
    figures_of_seeds = [figures(*pair, versions) for pair in group]
    means = {key: figure for key, figure in over_seeds(figures_of_seeds).items() if key not in excluded}
    if "modes" in means and (count := result.protocol.get("mode_count", 0)):
        means["modes"] = means["modes"].within((0.0, float(count)))
    return Row(
        name=name,
        model=model,
        family=record.family,
        sampler=result.protocol["sampler"],
        sampler_settings=tuple(sorted(result.protocol["sampler_settings"].items())),
        configured=result.protocol["sampler"] in record.config.get("samplers", {}),
        headline=headline,
        figures=means,
        by_label=by_label(group),
        versions=versions,
        seeds=seeds([record for record, _ in group]),
        samples=result.protocol["samples"],
        machine=machines[0] if len(machines) == 1 else "",
        protocols=tuple(sorted({Protocol.from_dict(result.protocol).fingerprint() for _, result in group})),
        flags=tuple(dict.fromkeys(flag for _, result in group for flag in [*result.flags, *disturbances(result)])),
        missing=tuple(missing),
    )


def by_label(group: Group) -> tuple[Figures, ...]:
    """Return the figures of each label's samples; () where a seed lacks them."""
    of_seeds = [
        [{key: in_units(key, Figure(value)) for key, value in figures.items()} for figures in result.by_class]
        for _, result in group
    ]
    return tuple(over_seeds(list(of_label)) for of_label in zip(*of_seeds, strict=False))


def newest(versions: Sequence[Version]) -> Version:
    """Return the greatest version; of digests, which have no order, that of most, and of several the last by name."""
    numbers = [version for version in versions if isinstance(version, int)]
    digests = [version for version in versions if isinstance(version, str)]
    return max(digests, key=lambda digest: (digests.count(digest), digest)) if digests else max(numbers)


def comparable_metrics(group: Group) -> tuple[dict[str, Version], list[str]]:
    """Return the metrics that all seeds have in one version, with it; and a sentence for each other metric."""
    versions: dict[str, Version] = {}
    gaps: dict[str, list[str]] = defaultdict(list)  # the sentence's end -> metrics
    for name in dict.fromkeys(name for _, result in group for name in result.metrics):
        versions_of_seeds = [result.versions.get(name, 1) if name in result.metrics else 0 for _, result in group]
        if len(set(versions_of_seeds)) == 1:
            versions |= dict.fromkeys((name, *(OF_FID if name == "fid" else ())), versions_of_seeds[0])
            continue
        outdated = [
            record.run_id
            for (record, _), version in zip(group, versions_of_seeds, strict=True)
            if version != newest([version for version in versions_of_seeds if version != 0])
        ]
        gaps[f"of {len(group) - len(outdated)} of {len(group)} seeds only; `bench train` again completes "
                + ", ".join(outdated)].append(name)  # fmt: skip
    return versions, [f"{', '.join(metrics)} {end}" for end, metrics in gaps.items()]


def figures(record: Record, result: Result, versions: Mapping[str, Version]) -> Figures:
    """Return the figures of one result by the columns' keys and in their units, of the metrics in `versions`."""
    values = {name: metric_figure(name, result) for name in result.metrics if name in versions}
    if "fid" in versions:
        values |= {key: Figure(fid) for key, (_, fid) in zip(OF_FID, sorted(result.fid_by_count.items()), strict=False)}
    values |= timings(result.timing)
    if record.images_seen:
        values["parameters"] = Figure(record.parameters)
        values["images_seen"] = Figure(record.images_seen)
        values["train_minutes"] = Figure(record.train_seconds)
    return {key: in_units(key, figure) for key, figure in values.items()}


def metric_figure(name: str, result: Result) -> Figure:
    """Return a metric as it is recorded, with its interval over samples."""
    low, high = result.intervals.get(name, (None, None))
    return Figure(result.metrics[name], low, high, GROUPS - 1)


def disturbances(result: Result) -> list[str]:
    """Return a sentence where other processes held cores that the timed sampler needed."""
    timing, hardware = result.timing, result.hardware
    threads = hardware.get("threads", 1) if hardware.get("device") == "cpu" else 1
    others = timing.get("cores_of_others")
    if contention(others, threads, hardware.get("cores", 0)) <= DISTURBED:
        return []
    return [f"timed while other processes kept {others:.1f} of {hardware['cores']} cores busy"]


def timings(timing: Mapping[str, Any]) -> Figures:
    """Return the figures of a timing, without those that could not be measured; intervals are over repeated calls."""
    if not timing:
        return {}
    freedom = max(1, timing["repeats"] - 1)
    values = {}
    for name in TIMED:
        if timing.get(name) is not None:
            ends = timing.get(f"{name}_interval")
            low, high = ends or (None, None)
            values[COLUMN_OF.get(name, name)] = Figure(timing[name], low, high, freedom if ends else 0.0)
    return values
