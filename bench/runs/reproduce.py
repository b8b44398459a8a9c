"""`bench evaluate RUN`: evaluate a trained run again, with changed settings or under a stored protocol."""

import dataclasses
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.config.components import Component, component_of, find
from bench.config.load import (
    check_parts,
    evaluate_named_samplers,
    merge,
    results_folder,
    split,
    split_groups,
)
from bench.config.overrides import parse_overrides
from bench.config.places import find_place
from bench.config.plugins import with_plugins
from bench.config.schema import (
    Config,
    ConfigError,
    Plugin,
    Section,
    captioned,
    check,
    check_name,
    conditional,
    samplers,
)
from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import check_protocol
from bench.evaluation.metrics.registry import expected
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import Evaluation
from bench.results import records
from bench.results.layout import ResultsFolder
from bench.runs.build import announce_changes, build_data, build_model, check_sampler, data_spec, load_weights
from bench.runs.context import evaluation_context
from bench.runs.evaluate import sample_row, sampling_of, time_row, unmeasured, with_figures
from bench.runs.plan import missing_metrics
from bench.runs.run import run_config
from bench.runtime.console import console
from bench.runtime.locks import exclusive
from datamodules.base import DataError
from models.base import GenerativeModel


def reevaluate(run: str, overrides: Sequence[str]) -> None:
    """Evaluate a trained run under overrides of evaluation, samplers, data.root and results; extend its record.

    model=PLACE and data=PLACE say where a class of the user's own lies now, if it has moved.
    """
    results = results_folder(overrides)
    picks, changes = changes_of(run, results, overrides)
    wrong = [key for key in changes if key not in ("evaluation", "samplers", "data", "results", "plugins")]
    wrong += [f"data.{key}" for key in changes.get("data", {}) if key != "root"]
    if wrong := [*picks, *wrong]:
        raise ConfigError(f"{wrong[0]}: `bench evaluate` takes evaluation.*, samplers.*, data.root and results only")
    config = recorded_config(run, results, {**changes, "results": str(results)})[1]
    config = evaluate_named_samplers(config, changes)
    try:
        steps = run_config(config)
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}; if the images of {run} have moved, give data.root=DIR") from None
    if not steps:
        console.print(f"  nothing new: {'; '.join(nothing_new(config, changes))}")


def changes_of(run: str, results: Path, overrides: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the names that are picked by group, and all other keys as nested dicts, typed by the run's model and data.

    A place that is picked for a class of the user's own is not among the names, but a change of the run's `plugins`.
    """
    record = records.find(results, run)
    if record is None:
        return split(overrides)
    picks = split_groups(overrides)[0]
    plugins = {kind: Plugin(**plugin) for kind, plugin in record.config.get("plugins", {}).items()}
    places: dict[str, dict[str, str]] = {}
    components: list[Component] = []
    for kind in ("model", "data"):
        name, recorded = record.config[kind]["name"], plugins.get(kind)
        if recorded and kind in picks:
            recorded = recorded.model_copy(update={"place": moved_place(kind, picks[kind], recorded, run)})
            places[kind] = {"place": recorded.place}
        try:
            components.append(component_of(kind, name, recorded))
        except ConfigError as error:
            raise ConfigError(f"{error}; if it has moved, give {kind}=PLACE", key=kind) from None
    picks, changes = split(overrides, *components)
    names = {kind: name for kind, name in picks.items() if kind not in places}
    return names, changes | ({"plugins": places} if places else {})


def moved_place(kind: str, text: str, recorded: Plugin, run: str) -> str:
    """Return the place at which a class of the user's own, of a recorded run, lies now; ConfigError for another class.

    text: that place, or the name that an installed package has entered for it.
    """
    place = find_place(kind, text) if ":" in text else find(kind, text).place
    class_name = recorded.place.rpartition(":")[2]
    if place is None or place.name != class_name:
        found = text if place is None else place.name
        raise ConfigError(f"{kind}={text}: is {found}, but {run} is of {class_name}", key=kind, value=text)
    return str(place)


def own_settings(overrides: Sequence[str], schema: type[Section]) -> tuple[Any, list[str]]:
    """Return a command's own settings, checked, and the words that it hands to `reevaluate`."""
    own = [word for word in overrides if word.partition("=")[0] in schema.model_fields]
    others = [word for word in overrides if word not in own]
    return check(schema, parse_overrides(own, schema)), others


def nothing_new(config: Config, changes: dict[str, Any]) -> list[str]:
    """Return why changes to a run's evaluation lead to no new measurement."""
    settings, timed = changes.get("evaluation", {}), config.evaluation.timed_only
    reasons = [
        f"evaluation.{key}={settings[key]} concerns the timing, and recorded timings are kept"
        for key in ("repeats", "timed_images")
        if key in settings
    ]
    if evaluated := [name for name in samplers(config) if name not in timed]:
        reasons.append(f"every metric of {', '.join(evaluated)} is recorded under these settings")
    if timed_rows := [name for name in samplers(config) if name in timed]:
        reasons.append(f"{', '.join(timed_rows)} is recorded, and evaluation.timed_only says that it is only timed")
    return reasons


def recorded_config(run: str, results: Path, changes: dict[str, Any]) -> tuple[records.Record, Config, Path]:
    """Return a run's record, its configuration with changes, and its weights; ConfigError if one is missing."""
    record = records.find(results, run)
    if record is None:
        check_name("run", run, records.run_ids(results))
        raise AssertionError
    if not (weights := ResultsFolder(results).weights(run)).exists():
        raise ConfigError(f"{weights}: missing, so {run} cannot be sampled; train it again with `bench train`")
    config: Config = check(Config, with_plugins(merge(record.config, changes)))
    check_parts(config)
    return record, config, weights


def stored_protocol(name: str, results: Path) -> Protocol:
    """Return a protocol: by a prefix of its fingerprint in the records, or from a JSON file of a protocol or a record.

    Raises ConfigError if there is none or more than one.
    """
    different = {protocol.fingerprint(): protocol for protocol in map(Protocol.from_dict, stored(name, results))}
    if len(different) == 1:
        return next(iter(different.values()))
    known = ", ".join(different) or "none; fingerprints are the keys of `results` in a record"
    raise ConfigError(f"--protocol={name}: matches {len(different)} protocols in {results}/records ({known})")


def stored(name: str, results: Path) -> list[dict[str, Any]]:
    """Return the protocols in the file `name`, or those of all records whose fingerprint begins with `name`."""
    file = Path(name)
    if not file.is_file():
        entries = (part for record in records.read_all(results) for part in record.results.items())
        return [result.protocol for fingerprint, result in entries if fingerprint.startswith(name)]
    try:
        content = dict(json.loads(file.read_text()))
        return [dict(part["protocol"]) for part in content["results"].values()] if "results" in content else [content]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"--protocol={name}: holds neither a protocol nor a record as JSON") from error


def settings(stated: Protocol) -> dict[str, Any]:
    """Return the configuration's settings of the evaluation that a protocol states."""
    return {key: getattr(stated, key) for key in ("samples", "seed", "chunk", "extractor")}


def repeat(run: str, name: str, overrides: Sequence[str]) -> None:
    """Repeat a measurement under a stored protocol; compare its figures with the recorded ones, or record them."""
    allowed = (
        "results=", "model=", "data=", "data.root=", "evaluation.extractor=", "evaluation.extractor_weights=",
        "evaluation.metrics=",
    )  # fmt: skip
    if wrong := [word for word in overrides if not word.startswith(allowed)]:
        raise ConfigError(f"{wrong[0]}: with --protocol, `bench evaluate` takes {', '.join(allowed)} only")
    results = results_folder(overrides)
    stated = stored_protocol(name, results)
    record, config, weights = config_of_protocol(run, results, stated, overrides)
    data = build_data(config)
    model = build_model(config, data_spec(data))
    load_weights(model, weights)
    announce_changes(config)
    check_same_run(run, name, config, model, stated)
    evaluation = evaluation_context(config, data, "32-true", stated.cells)
    evaluation = dataclasses.replace(evaluation, precision=stated.precision)
    check_protocol(evaluation.reference_set, stated)
    model.to(evaluation.device).eval()
    check_sampler(model, stated.sampler, dict(stated.sampler_settings))
    sampling = sampling_of(config, model, stated.sampler, dict(stated.sampler_settings), stated.precision)
    evaluated = sample_row(sampling, stated, config.seed, evaluation)
    known = record.results.get(stated.fingerprint())
    names = (*expected(conditional(config.model), captioned(config.model)), *evaluation.own)
    # unknown versions: compare all
    missing = missing_metrics(known, names, evaluation.own) if known and known.versions else {}
    if known and known.metrics:
        compare(known, evaluated, stated, missing)
        if not missing:
            return
        console.print(f"  added: {'; '.join(dict.fromkeys(missing.values()))}")
    result = known or unmeasured(stated, evaluation)
    if not result.timing:
        timing = dataclasses.asdict(time_row(sampling, config, evaluation))
        result = result.model_copy(update={"timing": timing})
    completed = with_figures(result, evaluated, run, evaluation.code)
    with exclusive(results, run):
        record = records.find(results, run) or record  # another process may have extended it
        record.results[stated.fingerprint()] = completed
        records.write(record, results)


def config_of_protocol(
    run: str, results: Path, stated: Protocol, overrides: Sequence[str]
) -> tuple[records.Record, Config, Path]:
    """Return a run's record, its configuration with the evaluation and sampler of a protocol, and its weights."""
    picks, changes = changes_of(run, results, overrides)
    for kind, name in picks.items():
        raise ConfigError(f"{kind}={name}: with --protocol, only the PLACE of a class of your own that has moved")
    row = {} if stated.sampler == "default" else {stated.sampler: dict(stated.sampler_settings)}
    evaluation = settings(stated) | changes.get("evaluation", {})
    return recorded_config(
        run, results, {**changes, "evaluation": evaluation, "samplers": row, "results": str(results)}
    )


def check_same_run(run: str, name: str, config: Config, model: GenerativeModel, stated: Protocol) -> None:
    """Raise ConfigError if the protocol called `name` is of other data, or of other weights, than a run has."""
    own = {"data": config.data["name"], "reference": "train", "weights": "ema" if model.ema_decay else "raw"}
    differences = [
        f"{key}={getattr(stated, key)}, not {value}" for key, value in own.items() if getattr(stated, key) != value
    ]
    if differences:
        raise ConfigError(f"--protocol={name}: states {'; '.join(differences)}; {run} cannot be measured under it")


def compare(known: records.Result, evaluated: Evaluation, stated: Protocol, missing: Collection[str]) -> None:
    """Print recorded and reproduced figures; raise EvaluationError if any differs in six digits.

    missing: metrics that were recorded in another version, or not at all, and are not compared.
    """
    table = Table("figure", title=stated.line())
    for heading in ("recorded", "reproduced", "difference"):
        table.add_column(heading, justify="right")
    for name, value in evaluated.metrics.items():
        recorded = known.metrics.get(name)
        texts = ("–", "–") if recorded is None else (f"{recorded:.6g}", f"{value - recorded:.1g}")
        table.add_row(name, texts[0], f"{value:.6g}", texts[1])
    Console(highlight=False).print(table)
    absent = [name for name in known.columns if name not in evaluated.columns]
    if absent:
        console.print(f"  not compared: {', '.join(absent)}; give evaluation.metrics=[PLACE]", markup=False)
    moved = [
        name for name, recorded in known.metrics.items()
        if name not in (*missing, *absent)
        and f"{evaluated.metrics.get(name, float('nan')):.6g}" != f"{recorded:.6g}"
    ]  # fmt: skip
    if moved:
        raise EvaluationError(
            f"{', '.join(moved)} of protocol {stated.fingerprint()} were not reproduced: recorded on "
            f"{known.hardware['gpu'] or known.hardware['cpu']} with {known.hardware['threads']} threads"
        )
    Console(highlight=False).print(f"every figure {'of these versions ' if missing else ''}agrees to six digits")
