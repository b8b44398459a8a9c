"""Plan what a run still needs, and why: for `bench train`, sweeps and `bench show`. An empty plan means done."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.config.components import configured, own_metrics
from bench.config.schema import Config, captioned, conditional, has_condition, samplers
from bench.evaluation.metrics.registry import METRICS, expected
from bench.evaluation.tasks.registry import ABILITIES
from bench.results.records import Record, Result

NO_METRICS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One thing to do for a run.

    what: "training", "timing" (of a sampler), "metrics" (of a sampler's row, those of `metrics`), "ability", or "end"
    (pictures, and the rest of what a stopped command left undone). name: of the sampler or the ability. reason: a
    clause for people.
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
    """Return the steps that a run still needs, in the order of their execution.

    targets: None before data and model are loaded. Results are then matched by the configuration's settings, and facts
    that depend on the data are inferred from the record's results under other settings. abilities: those that the
    model is known to have; None: its class is imported to find out.
    """
    if record is None:
        return [Step("training", "it is not recorded")]
    steps = [step for name in samplers(config) for step in row_steps(record, name, config, targets)]
    steps += [
        Step("ability", f"ability {name} was not measured", name)
        for name in lacking(record, config, targets, abilities)
    ]
    return steps if record.finished else [*steps, Step("end", "its evaluation did not come to an end")]


def without_timings(steps: Iterable[Step]) -> list[Step]:
    """Return the steps that need no machine to themselves."""
    return [step for step in steps if step.what != "timing"]


def sentence(steps: Iterable[Step]) -> str:
    """Join the steps' reasons, each once."""
    return "; ".join(dict.fromkeys(step.reason for step in steps))


def row_steps(record: Record, name: str, config: Config, targets: Targets | None) -> list[Step]:
    """Return the steps that one sampler's row still needs."""
    evaluated = name not in config.evaluation.timed_only
    subject = "" if name == "default" else f"{name}: "
    result = result_of(record, name, config, targets)
    own = own_metrics(config)
    names = (*expected(conditional(config.model), captioned(config.model)), *own)
    if result is None:
        reason = absence(record, name)
        timing, metrics = Step("timing", reason, name), Step("metrics", reason, name, names)
        return [timing, metrics] if evaluated else [timing]
    steps = [] if result.timing else [Step("timing", f"{subject}it was not timed", name)]
    if evaluated and not result.metrics and not result.versions:
        return [*steps, Step("metrics", f"{subject}it was only timed", name, names)]
    if evaluated and (missing := missing_metrics(result, names, own)):
        reasons = "; ".join(dict.fromkeys(missing.values()))
        steps.append(Step("metrics", subject + reasons, name, tuple(missing)))
    return steps


def missing_metrics(
    result: Result | None, names: Collection[str], own: Mapping[str, str] = NO_METRICS
) -> dict[str, str]:
    """Return metric -> reason, for each of the named metrics that a result lacks or has in another version.

    own: versions of metrics of the user's own.
    """
    if result is None or not (result.metrics or result.versions):
        return {name: f"metric {name} was not computed" for name in names}
    if not result.versions:
        return dict.fromkeys(names, "its metrics are of versions that were not recorded")
    versions = {name: own[name] if name in own else METRICS[name].version for name in names}
    return {
        name: outdated(name, known, version) if known else f"metric {name} was not computed"
        for name, version in versions.items()
        if (known := result.versions.get(name)) != version
    }


def outdated(name: str, known: int | str, version: int | str) -> str:
    """Return why a metric is computed again."""
    if isinstance(version, str):
        return f"the source files of metric {name} have changed"
    return f"metric {name} is version {known}, now {version}"


def absence(record: Record, name: str) -> str:
    """Return why a record has no result of a sampler."""
    row = "its row" if name == "default" else f"sampler {name}"
    if not record.results:
        return f"{row} is not measured yet"
    if any(result.protocol["sampler"] == name for result in record.results.values()):
        return f"{row} was measured under other settings only"
    return f"{row} is new"


def result_of(record: Record, name: str, config: Config, targets: Targets | None) -> Result | None:
    """Return the record's result of a sampler, matched by fingerprint or by the configuration's settings."""
    if targets:
        return record.results.get(targets.rows[name])
    matches = [
        result
        for result in record.results.values()
        if result.protocol["sampler"] == name
        and dict(result.protocol["sampler_settings"]) == samplers(config)[name]
        and same_setting(result.protocol, config)
    ]
    return max(matches, key=lambda result: (len(result.versions), len(result.metrics)), default=None)


def lacking(
    record: Record, config: Config, targets: Targets | None, abilities: Collection[str] | None = None
) -> Sequence[str]:
    """Return the abilities that are not recorded under the configuration's settings."""
    if targets:
        return [name for name, fingerprint in targets.abilities.items() if fingerprint not in record.abilities]
    protocols = [ability.protocol for ability in record.abilities.values()]
    recorded = {protocol["ability"] for protocol in protocols}
    samples = {result.protocol["samples"] for result in record.results.values()}
    current = {protocol["ability"] for protocol in protocols if same_ability_setting(protocol, config, samples)}
    offered = offered_by(config) if abilities is None else abilities
    return [
        name
        for name, entry in ABILITIES.items()
        # whether the data have classes to learn is not known here
        if name not in current and name in offered and (name in recorded or not entry.labelled)
    ]


def offered_by(config: Config) -> list[str]:
    """Return the abilities that the configured model has and its data allow; imports both."""
    from datamodules.mixtures import Mixture

    if issubclass(configured("data", config).load(), Mixture):
        return []
    model = configured("model", config).load()
    return [
        name
        for name, entry in ABILITIES.items()
        if entry.offered_by(model) and not (entry.unconditional and has_condition(config.model))
    ]


def same_setting(protocol: Mapping[str, Any], config: Config) -> bool:
    """Return whether a row's protocol has the configuration's evaluation settings, as far as the images leave them."""
    keys = [key for key in ("samples", "seed", "chunk", "extractor") if f"evaluation.{key}" not in config.fitted]
    return all(protocol[key] == getattr(config.evaluation, key) for key in keys)


def same_ability_setting(protocol: Mapping[str, Any], config: Config, samples: Collection[int]) -> bool:
    """Return whether an ability's protocol has the configuration's evaluation settings.

    samples: numbers of samples of the record's rows. An ability with fewer images than the configured samples used the
    whole held-out split, unless some row has that number.
    """
    settings, images = config.evaluation, protocol["images"]
    enough = images == settings.samples or (images < settings.samples and images not in samples)
    return enough and (protocol["seed"], protocol["chunk"]) == (settings.seed, settings.chunk)
