"""What a run lacks, and why: one answer for `bench train`, sweeps and `bench show`. An empty plan means done."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.config.schema import Config, samplers
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.tasks.registry import ABILITIES
from bench.results.records import Record, Result
from datamodules import DATAMODULES
from models import MODELS


@dataclass(frozen=True)
class Step:
    """One thing to do for a run.

    what: "training", "sampler" (a row to time, and to judge by `metrics` where there are any), "metrics" (of a row
    whose timing is kept), "timing" (of a row whose figures are kept), "ability", or "end" (pictures, and whatever else
    a stopped command has left). name: of the sampler or the ability. reason: a clause for people.
    """

    what: str
    reason: str
    name: str = ""
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Targets:
    """Fingerprints of the protocols that a complete record holds, once data and model are loaded."""

    rows: Mapping[str, str]  # by the sampler
    abilities: Mapping[str, str]  # by the ability


def plan(
    config: Config, record: Record | None, targets: Targets | None = None, abilities: Collection[str] | None = None
) -> list[Step]:
    """What is left to do of a run, in the order in which it is done.

    Without `targets`, before data and model are loaded, results are found by the settings that the configuration
    names, and what depends on the data is taken from what the record holds under other settings. `abilities` are
    those that the model is known to have; None: its class is imported and asked.
    """
    if record is None:
        return [Step("training", "it is not recorded")]
    steps = [step for name in samplers(config) for step in row_steps(record, name, config, targets)]
    steps += [
        Step("ability", f"ability {name} was not measured", name)
        for name in lacking(record, config, targets, abilities)
    ]
    return steps if record.finished else [*steps, Step("end", "its evaluation did not come to an end")]


def sentence(steps: Iterable[Step]) -> str:
    """The reasons, each once."""
    return "; ".join(dict.fromkeys(step.reason for step in steps))


def row_steps(record: Record, name: str, config: Config, targets: Targets | None) -> list[Step]:
    """What is left to do of one sampler's row."""
    judged = name not in config.evaluation.timed_only
    subject = "" if name == "default" else f"{name}: "
    result = result_of(record, name, config, targets)
    if result is None:
        return [Step("sampler", absence(record, name), name, tuple(METRICS) if judged else ())]
    steps = [] if result.timing else [Step("timing", f"{subject}it was not timed", name)]
    if judged and not result.metrics and not result.versions:
        return [*steps, Step("metrics", f"{subject}it was only timed", name, tuple(METRICS))]
    if judged and (missing := missing_metrics(result)):
        reasons = "; ".join(dict.fromkeys(missing.values()))
        steps.append(Step("metrics", subject + reasons, name, tuple(missing)))
    return steps


def missing_metrics(result: Result | None) -> dict[str, str]:
    """Metric -> why it has to be computed, for each that a result lacks or has of another version."""
    if result is None or not (result.metrics or result.versions):
        return {name: f"metric {name} was not computed" for name in METRICS}
    if not result.versions:
        return dict.fromkeys(METRICS, "its metrics are of versions that were not recorded")
    return {
        name: f"metric {name} is version {known}, now {metric.version}" if known else f"metric {name} was not computed"
        for name, metric in METRICS.items()
        if (known := result.versions.get(name)) != metric.version
    }


def absence(record: Record, name: str) -> str:
    """Why there is no result of a sampler."""
    row = "its row" if name == "default" else f"sampler {name}"
    if not record.results:
        return f"{row} is not measured yet"
    if any(result.protocol["sampler"] == name for result in record.results.values()):
        return f"{row} was measured under other settings only"
    return f"{row} is new"


def result_of(record: Record, name: str, config: Config, targets: Targets | None) -> Result | None:
    """The record's result of a sampler: by fingerprint, or by the settings that the configuration names."""
    if targets:
        return record.results.get(targets.rows[name])
    same = [
        result
        for result in record.results.values()
        if result.protocol["sampler"] == name
        and dict(result.protocol["sampler_settings"]) == samplers(config)[name]
        and same_setting(result.protocol, config)
    ]
    return max(same, key=lambda result: (len(result.versions), len(result.metrics)), default=None)


def lacking(
    record: Record, config: Config, targets: Targets | None, abilities: Collection[str] | None = None
) -> Sequence[str]:
    """The abilities that are not recorded under these settings."""
    if targets:
        return [name for name, fingerprint in targets.abilities.items() if fingerprint not in record.abilities]
    stated = [ability.protocol for ability in record.abilities.values()]
    known = {protocol["ability"] for protocol in stated}
    samples = {result.protocol["samples"] for result in record.results.values()}
    there = {protocol["ability"] for protocol in stated if same_ability_setting(protocol, config, samples)}
    offered = offered_by(config) if abilities is None else abilities
    return [
        name
        for name, entry in ABILITIES.items()
        # whether the data have classes to learn is not known here
        if name not in there and name in offered and (name in known or not entry.labelled)
    ]


def offered_by(config: Config) -> list[str]:
    """The abilities of the configured model that its data can be asked for; imports both."""
    from datamodules.mixtures import Mixture

    if issubclass(DATAMODULES[config.data["name"]], Mixture):
        return []
    model = MODELS[config.model["name"]]
    return [name for name, entry in ABILITIES.items() if entry.offered_by(model)]


def same_setting(stated: Mapping[str, Any], config: Config) -> bool:
    wanted = config.evaluation
    return all(stated[key] == getattr(wanted, key) for key in ("samples", "seed", "chunk", "extractor"))


def same_ability_setting(stated: Mapping[str, Any], config: Config, samples: Collection[int]) -> bool:
    """Whether an ability was measured under the configuration's settings.

    samples: of the record's rows. Fewer images than the configured samples are the whole held-out split, unless rows
    were measured with as few.
    """
    wanted, images = config.evaluation, stated["images"]
    enough = images == wanted.samples or (images < wanted.samples and images not in samples)
    return enough and (stated["seed"], stated["chunk"]) == (wanted.seed, wanted.chunk)
