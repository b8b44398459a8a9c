"""Run one configuration: fit or resume, evaluate, record."""

import os
import time
from pathlib import Path
from typing import Any

from bench.config.components import SEVERAL
from bench.config.devices import resolve_precision
from bench.config.paths import check_results
from bench.config.schema import Config, ConfigError, samplers
from bench.plots import model_pictures
from bench.results import records
from bench.results.identity import run_id
from bench.results.layout import ResultsFolder
from bench.results.records import Record
from bench.results.status import publish_status
from bench.runs.baselines import measure_baselines
from bench.runs.build import (
    announce_changes,
    build_data,
    build_model,
    data_spec,
    is_images,
    load_weights,
    preflight,
)  # fmt: skip
from bench.runs.context import EvaluationContext, RunContext, evaluation_context
from bench.runs.evaluate import evaluate_rows, row_protocol
from bench.runs.fitting import fit_evaluation
from bench.runs.plan import Step, Targets, plan, sentence, without_timings
from bench.runs.tasks import measure_tasks, probe_baselines, task_protocols
from bench.runtime import ranks
from bench.runtime.console import console
from bench.runtime.files import visible, write_bytes
from bench.runtime.locks import exclusive
from bench.table.aggregate import names
from bench.table.picture import curves_svg, png
from bench.table.rows import gather
from bench.table.sampler_curves import by_sweep, sampler_curves
from bench.tracking.callback import WandbCallback
from bench.tracking.identity import open_session, started_by_agent
from bench.tracking.log import log_record
from bench.training.callbacks import Diverged
from bench.training.fit import check_resumable, train
from bench.training.launch import launch
from datamodules.base import ImageDataModule
from models.base import GenerativeModel


def run_config(config: Config) -> list[Step]:
    """Train one model unless it is trained, then measure what its record lacks; return the steps that were done."""
    check_results(Path(config.results), writes=True)
    launch(config.trainer)
    data = build_data(config)
    config = fit_evaluation(config, data)
    model = build_model(config, data_spec(data))
    ranks.on_each(lambda: preflight(config, data, model))
    with exclusive(Path(config.results), run_id(config)):
        return run(config, data, model)


def run(config: Config, data: ImageDataModule, model: GenerativeModel) -> list[Step]:
    """Run a configuration whose context is built and checked."""
    folder = ResultsFolder(Path(config.results))
    record = ranks.on_first(lambda: recorded(config, data, folder))
    evaluation, seconds = references(config, data)
    context = RunContext(config, data, model, evaluation, open_session(config, folder.run(run_id(config))))
    goal = targets(context)
    steps = remaining_steps(config, record, goal)
    if record and not steps:
        already_done(context, record)
        return steps
    if record and not ranks.on_first(context.weights.exists):
        raise ConfigError(
            f"{context.weights}: missing, so {folder.record(record.run_id)} cannot be completed "
            f"({sentence(steps)}); move that record away to train again"
        )
    if record:
        console.print(f"  [bold]{record.run_id}[/], missing: {sentence(steps)}")
        announce_changes(config)
    with context.session, publish_status(context.run_id, config.model_dump(), folder.run(context.run_id)):
        complete(context, record, goal, seconds)
    console.print(f"  recorded: {folder.record(context.run_id)}")
    return steps


def remaining_steps(config: Config, record: Record | None, goal: Targets) -> list[Step]:
    """Plan the run, without timings in a cell of a sweep that times its runs one by one when all are trained."""
    steps = plan(config, record, goal)
    return without_timings(steps) if os.environ.get("BENCH_TIMINGS") == "postponed" else steps


def recorded(config: Config, data: ImageDataModule, folder: ResultsFolder) -> Record | None:
    """Return the run's record, if any; ConfigError if it, or the checkpoint to resume from, is of other images."""
    name = run_id(config)
    record = records.find(folder.root, name)
    if record is None:
        check_resumable(config, data, folder.run(name))
    elif record.data_digest != data.digest("train"):
        raise ConfigError(
            f"{folder.record(name)}: was made from other images than data={config.data['name']} has now; "
            "use another results=DIR"
        )
    return record


def already_done(context: RunContext, record: Record) -> None:
    """Print that there is nothing to do, and where the record is."""
    file = context.folder.record(record.run_id)
    console.print(f"[bold]{record.run_id}[/] is trained and evaluated, nothing to do: {file}")
    if started_by_agent():  # the sweep of the agent waits for the figures
        with context.session as session:
            session.tell(lambda run: log_record(run, session, record, context.folder.root))


def targets(context: RunContext) -> Targets:
    """Return the fingerprints of all results that the run's record will hold."""
    rows = {name: row_protocol(context, name).fingerprint() for name in samplers(context.config)}
    tasks = task_protocols(context.config, context.data, context.model)
    return Targets(rows, {name: protocol.fingerprint() for name, protocol in tasks.items()})


def complete(context: RunContext, record: Record | None, goal: Targets, preparing: float) -> None:
    """Train unless there is a record, then measure and record what it lacks.

    preparing: seconds that the references took before, which count as evaluation.
    """
    record = record or fitted(context)
    record.config = with_own_functions(record.config, context.config)
    started = time.monotonic()
    load_weights(context.model, context.weights)
    steps = remaining_steps(context.config, record, goal)
    evaluate_rows(context, record, steps)

    def finish() -> None:
        if any(step.what in ("metrics", "end") for step in steps):
            draw_pictures(context)  # before the tasks, so that a stop here leaves something missing
        measure_tasks(context, record, [step.name for step in steps if step.what == "ability"])
        draw_curves(context, record, goal)
        record.evaluate_seconds = round(record.evaluate_seconds + preparing + time.monotonic() - started, 3)
        records.write(record, context.folder.root)
        context.session.tell(lambda run: log_record(run, context.session, record, context.folder.root))

    ranks.on_first(finish)


def with_own_functions(recorded: dict[str, Any], config: Config) -> dict[str, Any]:
    """Return a recorded configuration with the user's metrics and samplers that a later one has, as they are now."""
    present = config.model_dump()
    plugins = {key: plugin for key, plugin in present["plugins"].items() if key.partition(" ")[0] in SEVERAL}
    if not plugins:
        return recorded
    metrics = [*recorded["evaluation"].get("metrics", []), *present["evaluation"]["metrics"]]
    evaluation = recorded["evaluation"] | {"metrics": list(dict.fromkeys(metrics))}
    return recorded | {"evaluation": evaluation, "plugins": recorded.get("plugins", {}) | plugins}


def fitted(context: RunContext) -> Record:
    """Train, with W&B's callback if it is enabled, and report a divergence to W&B."""
    session, folder = context.session, context.folder.run(context.run_id)
    callbacks = [WandbCallback(session, context.config, folder)] if session.on else []
    try:
        return train(context.config, context.model, context.data, folder, callbacks)
    except Diverged as error:
        cause = str(error)
        session.tell(lambda run: run.summary.update({"failed": cause}))
        raise


def references(config: Config, data: ImageDataModule) -> tuple[EvaluationContext, float]:
    """Return the evaluation context, and the seconds that it took to prepare it.

    The figures of the real-data baselines are recorded unless they are.
    """
    with exclusive(Path(config.results), "references"):  # shared by all runs, and measured once, by the first
        started = time.monotonic()
        evaluation = ranks.in_turn(lambda: evaluation_context(config, data, resolve_precision(config)))
        ranks.on_first(lambda: measure_baselines(config, data, evaluation))
        ranks.on_first(lambda: probe_baselines(config, data))
        return evaluation, time.monotonic() - started


def draw_curves(context: RunContext, record: Record, goal: Targets) -> None:
    """Draw quality against steps and against guidance where the rows of this configuration make curves."""
    wanted = {key: record.results[key] for key in goal.rows.values() if key in record.results}
    rows = record.model_copy(update={"results": wanted})
    for sweep, curves in by_sweep(sampler_curves(gather([rows], names([rows])))):
        file = context.folder.pictures(context.run_id) / sweep.file.lower()
        write_bytes(file, png(curves_svg(sweep, curves, context.config.data["name"])))
        console.print(f"  drawn: {file}")


def draw_pictures(context: RunContext) -> None:
    """Draw the model's pictures into the folder of its sample grids."""
    data, folder = context.data, context.folder.pictures(context.run_id)
    if is_images(data):
        config = context.config
        sampler = samplers(config)[config.headline or next(iter(samplers(config)))]
        model_pictures.draw(
            context.model, data.test_images, data.test_labels, folder, seed=config.evaluation.seed, sampler=sampler
        )
    console.print(f"  pictures: {folder} ({', '.join(file.stem for file in visible(folder, '*.png'))})")
