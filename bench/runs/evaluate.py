"""Evaluate a trained model: the rows that a run fills, their measurement, and their recording."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from bench.config.schema import Config, samplers
from bench.evaluation.evaluate import evaluate
from bench.evaluation.passes import counted_passes
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import Sample
from bench.evaluation.scoring import Evaluation
from bench.evaluation.timing import Timing, hardware, time_sampling
from bench.plots.sample_pictures import draw_row
from bench.results import records
from bench.results.layout import row_files
from bench.results.records import MetricColumn
from bench.runs.context import EvaluationContext, RunContext, protocol
from bench.runs.plan import Step
from bench.runs.words import captions_of
from bench.runtime import ranks
from bench.runtime.console import Bar, console
from models.base import GenerativeModel

ROW_STEPS = ("timing", "metrics")  # of bench.runs.plan


def row_protocol(context: RunContext, sampler: str) -> Protocol:
    """Return the protocol of the run's row for one of its samplers."""
    weights = "ema" if context.model.ema_decay else "raw"
    settings = samplers(context.config)[sampler]
    return protocol(
        context.config, context.evaluation, weights=weights, sampler=sampler, sampler_settings=settings,
        precision=context.evaluation.precision,
    )  # fmt: skip


def evaluate_rows(context: RunContext, record: records.Record, steps: Sequence[Step]) -> None:
    """Time and evaluate rows as the steps of their samplers say."""
    context.model.to(context.evaluation.device).eval()
    for name in samplers(context.config):
        if row_steps := [step for step in steps if step.name == name and step.what in ROW_STEPS]:
            evaluate_row(context, record, name, row_steps)


def evaluate_row(context: RunContext, record: records.Record, name: str, steps: Sequence[Step]) -> None:
    """Time and evaluate one row; record its timing and its figures as soon as each is known."""
    evaluation, stated = context.evaluation, row_protocol(context, name)
    sampling = sampling_of(context.config, context.model, name, dict(stated.sampler_settings), stated.precision)

    def keep(result: records.Result) -> records.Result:
        record.results[stated.fingerprint()] = result
        ranks.on_first(partial(records.write, record, context.folder.root))
        return result

    result = record.results.get(stated.fingerprint()) or unmeasured(stated, evaluation)
    if any(step.what == "timing" for step in steps):
        timing = dataclasses.asdict(ranks.on_first(partial(time_row, sampling, context.config, evaluation)))
        result = keep(result.model_copy(update={"timing": timing, **provenance(evaluation)}))
    if metrics := [metric for step in steps for metric in step.metrics]:
        evaluated = sample_row(sampling, stated, context.config.seed, evaluation, metrics)
        # before the figures are recorded, so that a stop here leaves something missing
        files = row_files(context.folder.pictures(record.run_id), name)
        ranks.on_first(partial(draw_row, evaluated, context.data, *files))
        keep(with_figures(result, evaluated, sampling.label, evaluation.code))


@dataclass(frozen=True)
class Sampling:
    """A model with one sampler and in one precision.

    label: of its progress bars. passes: of one image through the network. draw: (n, generator) -> images.
    """

    model: GenerativeModel
    label: str
    passes: int
    draw: Sample


def sampling_of(
    config: Config,
    model: GenerativeModel,
    sampler: str,
    settings: Mapping[str, Any],
    precision: str,
    given: int | None = None,
    caption: Tensor | None = None,
) -> Sampling:
    """Return the model with a sampler of these settings.

    precision: float32 or bfloat16. given: the samples' label. caption: their caption, int64 tokens.
    """
    name = config.model["name"]
    label = name if sampler == "default" else f"{name}, {sampler}"
    bfloat16 = precision == "bfloat16"

    def draw(n: int, generator: torch.Generator) -> Tensor:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bfloat16):
            if caption is not None:
                captions = caption.to(model.device).repeat(n, 1)
                images: Tensor = cast(Any, model).sample_captioned(captions, generator, **settings)
            elif given is not None:
                labels = torch.full((n,), given, device=model.device)
                images = cast(Any, model).sample_given(labels, generator, **settings)
            else:
                images = model.sample(n, generator, **settings)
        return images

    return Sampling(model, label, model.passes(**settings), draw)


def unmeasured(stated: Protocol, evaluation: EvaluationContext) -> records.Result:
    """Return an empty result of a protocol."""
    return records.Result(protocol=stated.to_dict(), **provenance(evaluation))


def provenance(evaluation: EvaluationContext) -> dict[str, Any]:
    """Return the machine and the code of a measurement."""
    return {"hardware": hardware(evaluation.device), "code": evaluation.code}


def sample_row(
    sampling: Sampling,
    stated: Protocol,
    seed: int,
    evaluation: EvaluationContext,
    metrics: Sequence[str] | None = None,
) -> Evaluation:
    """Compute metrics (None: all) of one row, sampled with the model's training seed, with a bar in image passes."""
    passes = stated.samples * sampling.passes // ranks.world_size()
    judged = evaluation.reference_set.classes is not None and sampling.model.classes
    with (
        Bar(f"sample {sampling.label}", passes, "image passes") as bar,
        counted_passes(sampling.model.networks, bar.advance),
    ):
        return evaluate(
            sampling.draw, evaluation.reference_set, stated, training_seed=seed, device=evaluation.device,
            metrics=metrics, labels=sampling.model.draw_labels if judged else None,
            captions=captions_of(sampling.model), own=evaluation.metrics,
        )  # fmt: skip


def time_row(sampling: Sampling, config: Config, evaluation: EvaluationContext) -> Timing:
    """Measure the sampling time of one row, with a bar in images that pass the network."""
    settings, model = config.evaluation, sampling.model
    passes = sampling.passes * (1 + settings.repeats * (1 + settings.timed_images))
    with Bar(f"time {sampling.label}", passes, "image passes") as bar, counted_passes(model.networks, bar.advance):
        return time_sampling(
            sampling.draw, networks=model.networks, images=settings.timed_images, repeats=settings.repeats,
            device=evaluation.device,
        )  # fmt: skip


def with_figures(result: records.Result, evaluated: Evaluation, label: str, code: dict[str, Any]) -> records.Result:
    """Print a row's figures, their cost and their flags, and return its result with them, as `completed` does."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in evaluated.metrics.items())
    console.print(f"  {label}: {figures}")
    times = {stage: seconds for stage, seconds in evaluated.seconds.items() if seconds >= 0.1}
    console.print("  [dim]seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in times.items()) + "[/]")
    for flag in evaluated.flags:
        console.print(f"  [yellow]{label}: {flag}[/]")
    return completed(result, evaluated, code)


def completed(result: records.Result, evaluated: Evaluation, code: dict[str, Any]) -> records.Result:
    """Return a row's result with its figures; metrics that were not computed now keep theirs.

    code: of the measurement.
    """
    others = {name: value for name, value in result.metrics.items() if name not in evaluated.versions}
    other_ends = {name: ends for name, ends in result.intervals.items() if name not in evaluated.versions}
    return result.model_copy(
        update={
            "metrics": others | evaluated.metrics,
            "versions": result.versions | evaluated.versions,
            "columns": result.columns | {name: MetricColumn(**facts) for name, facts in evaluated.columns.items()},
            "intervals": other_ends | evaluated.intervals,
            "fid_by_count": evaluated.fid_by_count or result.fid_by_count,
            "by_class": evaluated.by_class or result.by_class,
            "flags": list(evaluated.flags),
            "seconds": result.seconds | {stage: round(seconds, 3) for stage, seconds in evaluated.seconds.items()},
            "code": code,
        }
    )
