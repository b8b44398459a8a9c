"""Between a trained model and the evaluation: which rows a run fills, how each is measured, where it is recorded."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.config.schema import Config
from bench.evaluation.evaluate import evaluate, evaluate_images
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import Evaluation
from bench.evaluation.timing import Timing, hardware, time_sampling
from bench.plots.sample_pictures import draw_row
from bench.results import records
from bench.runs.baselines import Baseline, baselines
from bench.runs.context import Standard, protocol
from bench.runs.plan import Step, missing_metrics, samplers
from bench.runtime import ranks
from bench.runtime.console import Bar, console
from bench.runtime.provenance import code_version
from datamodules import ImageDataModule
from models import GenerativeModel

ROW_STEPS = ("sampler", "metrics", "timing")  # of bench.runs.plan


def row_protocol(config: Config, by: Standard, model: GenerativeModel, name: str) -> Protocol:
    weights = "ema" if model.ema_decay else "raw"
    return protocol(
        config, by, weights=weights, sampler=name, sampler_settings=samplers(config)[name], precision=by.precision
    )


def evaluate_rows(
    record: records.Record,
    steps: Sequence[Step],
    config: Config,
    model: GenerativeModel,
    data: ImageDataModule,
    by: Standard,
) -> None:
    """Time and judge rows as the steps of their samplers say."""
    model.to(by.device).eval()
    for name in samplers(config):
        if own := [step for step in steps if step.name == name and step.what in ROW_STEPS]:
            evaluate_row(record, name, own, config, model, data, by)


def evaluate_row(
    record: records.Record,
    name: str,
    steps: Sequence[Step],
    config: Config,
    model: GenerativeModel,
    data: ImageDataModule,
    by: Standard,
) -> None:
    """Time and judge one row; its timing and its figures are recorded as soon as they are known."""
    settings, results = samplers(config)[name], Path(config.results)
    label = config.model["name"] if name == "default" else f"{config.model['name']}, {name}"
    draw = autocast(partial(model.sample, **settings), by)
    passes = model.passes(**settings)
    stated = row_protocol(config, by, model, name)

    def keep(result: records.Result) -> records.Result:
        record.results[stated.fingerprint()] = result
        ranks.on_first(partial(records.write, record, results))
        return result

    result = record.results.get(stated.fingerprint()) or unmeasured(stated, by)
    if any(step.what != "metrics" for step in steps):
        timing = dataclasses.asdict(ranks.on_first(partial(time_row, draw, label, passes, config, model, by)))
        result = keep(result.model_copy(update={"timing": timing, **provenance(by)}))
    if metrics := [metric for step in steps for metric in step.metrics]:
        judged = sample_row(draw, label, passes, stated, config.seed, model, by, metrics)
        # before the figures are recorded, so that a stop here leaves something missing
        ranks.on_first(partial(draw_row, judged, data, name, results / "pictures" / record.run_id))
        keep(judged_result(result, judged, label))


def unmeasured(stated: Protocol, by: Standard) -> records.Result:
    """The result of a protocol by which nothing is measured yet."""
    return records.Result(protocol=stated.to_dict(), **provenance(by))


def provenance(by: Standard) -> dict[str, Any]:
    """On what machine, and by which code, a result is measured."""
    return {"hardware": hardware(by.device), "code": code_version()}


def sample_row(
    draw: Any,
    label: str,
    steps: int,
    stated: Protocol,
    seed: int,
    model: GenerativeModel,
    by: Standard,
    metrics: Sequence[str] | None = None,
) -> Evaluation:
    """The figures (None: all) of one row of the model of a training seed, with a bar counted in image passes."""
    with (
        Bar(f"sample {label}", stated.samples * steps // ranks.world_size(), "image passes") as bar,
        counted(model, bar),
    ):
        return evaluate(draw, by.against, stated, training_seed=seed, device=by.device, metrics=metrics)


def time_row(draw: Any, label: str, steps: int, config: Config, model: GenerativeModel, by: Standard) -> Timing:
    """Sampling wall-clock of one row, with a bar counted in images that pass the network."""
    settings = config.evaluation
    passes = steps * (1 + settings.repeats * (1 + settings.timed_images))
    with Bar(f"time {label}", passes, "image passes") as bar, counted(model, bar):
        return time_sampling(
            draw, networks=model.networks, images=settings.timed_images, repeats=settings.repeats, device=by.device
        )


def evaluate_floor(config: Config, data: ImageDataModule, by: Standard) -> None:
    """Record the figures of the baselines of real data under the rows' setting, unless they are.

    A baseline has at most as many images as there are, which its protocol states: its own number of samples may be
    smaller than the rows'.
    """
    results = Path(config.results)
    for baseline in baselines(data):
        row = protocol(config, by, weights="none", sampler=baseline.name)
        name = f"{baseline.name}-{config.data['name']}-{row.setting()}"
        record = records.find(results, name) or records.reference(
            name, baseline.name, config.model_dump(), data.digest("test")
        )
        missing = missing_metrics(next(iter(record.results.values()), None))
        if not missing:
            continue
        images = baseline.images(data, by.against, row.samples, row.seed)
        if len(images) <= max(row.prc_neighbours, row.dc_neighbours):
            console.print(f"  [yellow]{baseline.words}: {len(images)} images are too few to be measured[/]")
            continue
        evaluate_baseline(record, baseline, images, row, missing, by)
        records.write(record, results)


def evaluate_baseline(
    record: records.Record, baseline: Baseline, images: Tensor, row: Protocol, missing: dict[str, str], by: Standard
) -> None:
    """Measure the missing metrics of a baseline's images and put them in its record.

    row: the protocol of the rows; missing: metric -> why it has to be computed.
    """
    stated = dataclasses.replace(row, samples=len(images), kid_subset_size=min(row.kid_subset_size, len(images)))
    console.print(f"  the baseline: {stated.samples:,} {baseline.words}, judged like samples")
    known = record.results.get(stated.fingerprint())
    if known:
        console.print(f"  missing: {'; '.join(dict.fromkeys(missing.values()))}")
    judged = evaluate_images(images, by.against, stated, metrics=missing)
    result = judged_result(known or unmeasured(stated, by), judged, baseline.words)
    if by.against.held_out and not by.against.held_out.apart:  # the same images: 0 by construction
        for figure in ("c_t", "near_copies", "aligned_copies"):
            result.metrics.pop(figure, None)
            result.intervals.pop(figure, None)
    if len(images) < row.samples:
        result.flags.append(f"of {len(images):,} images, all there are, where rows have {row.samples:,} samples")
    record.results[stated.fingerprint()] = result


def judged_result(result: records.Result, judged: Evaluation, label: str) -> records.Result:
    """Say a row's figures, what they cost and what makes them doubtful, and put them in its result.

    Figures of metrics that were not computed now stay as they are.
    """
    figures = "  ".join(f"{name} {value:.4g}" for name, value in judged.metrics.items())
    console.print(f"  {label}: {figures}")
    dear = {stage: seconds for stage, seconds in judged.seconds.items() if seconds >= 0.1}
    console.print("  [dim]seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in dear.items()) + "[/]")
    for flag in judged.flags:
        console.print(f"  [yellow]{label}: {flag}[/]")
    others = {name: value for name, value in result.metrics.items() if name not in judged.versions}
    other_ends = {name: ends for name, ends in result.intervals.items() if name not in judged.versions}
    return result.model_copy(
        update={
            "metrics": others | judged.metrics,
            "versions": result.versions | judged.versions,
            "intervals": other_ends | judged.intervals,
            "fid_by_count": judged.fid_by_count or result.fid_by_count,
            "flags": list(judged.flags),
            "seconds": result.seconds | {stage: round(seconds, 3) for stage, seconds in judged.seconds.items()},
            "code": code_version(),
        }
    )


def autocast(sample: Any, by: Standard) -> Any:
    """`sample` run in the precision that the protocol states."""

    def draw(n: int, generator: torch.Generator) -> Tensor:
        with torch.autocast(by.device.type, torch.bfloat16, enabled=by.precision == "bfloat16"):
            images: Tensor = sample(n, generator)
        return images

    return draw


@contextmanager
def counted(model: GenerativeModel, bar: Bar) -> Iterator[None]:
    """Advance a bar by every image that passes one of the model's networks."""
    handles = [
        network.register_forward_hook(lambda module, inputs, output: bar.advance(len(inputs[0])))
        for network in model.networks
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
