"""Between a trained model and the evaluation: which rows a run fills, how each is measured, where it is recorded."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench import records
from bench.evaluation import Evaluation, Protocol, Timing, evaluate, evaluate_images, hardware, ranks, time_sampling
from bench.progress import Bar, console
from bench.row_pictures import draw_row
from bench.schema import Config
from bench.standard import Standard, protocol
from datamodules import ImageDataModule
from models import GenerativeModel


def samplers(config: Config) -> dict[str, dict[str, Any]]:
    """The rows that a run fills: its samplers by name, or the model's one way to sample."""
    return config.samplers or {"default": {}}


def row_protocol(config: Config, by: Standard, model: GenerativeModel, name: str) -> Protocol:
    weights = "ema" if model.ema_decay else "raw"
    return protocol(
        config, by, weights=weights, sampler=name, sampler_settings=samplers(config)[name], precision=by.precision
    )


def missing_rows(record: records.Record, config: Config, by: Standard, model: GenerativeModel) -> list[str]:
    """The samplers whose result is not recorded, or only its timing where figures are asked for."""
    missing = []
    for name in samplers(config):
        result = record.results.get(row_protocol(config, by, model, name).fingerprint())
        if result is None or not result.timing or not (result.metrics or name in config.evaluation.timed_only):
            missing.append(name)
    return missing


def evaluate_rows(
    record: records.Record,
    names: Sequence[str],
    config: Config,
    model: GenerativeModel,
    data: ImageDataModule,
    by: Standard,
) -> None:
    """Time and judge the named rows; each is recorded as soon as it is known."""
    model.to(by.device).eval()
    for name in names:
        settings = samplers(config)[name]
        label = config.model["name"] if name == "default" else f"{config.model['name']}, {name}"
        draw = autocast(partial(model.sample, **settings), by)
        steps = model.passes(**settings)
        timing = ranks.on_first(partial(time_row, draw, label, steps, config, model, by))
        stated = row_protocol(config, by, model, name)
        result = records.Result(
            protocol=stated.to_dict(), timing=dataclasses.asdict(timing), hardware=hardware(by.device)
        )
        if name not in config.evaluation.timed_only:
            judged = sample_row(draw, label, steps, stated, config.seed, model, by)
            result = judged_result(result, judged, label)
            folder = Path(config.results) / "pictures" / record.run_id
            ranks.on_first(partial(draw_row, judged, data, name, folder))
        record.results[stated.fingerprint()] = result
        ranks.on_first(partial(records.write, record, Path(config.results)))


def sample_row(
    draw: Any, label: str, steps: int, stated: Protocol, seed: int, model: GenerativeModel, by: Standard
) -> Evaluation:
    """The figures of one row of the model of a training seed, with a bar counted in images that pass the network."""
    with (
        Bar(f"sample {label}", stated.samples * steps // ranks.world_size(), "image passes") as bar,
        counted(model, bar),
    ):
        return evaluate(draw, by.against, stated, training_seed=seed, device=by.device)


def time_row(draw: Any, label: str, steps: int, config: Config, model: GenerativeModel, by: Standard) -> Timing:
    """Sampling wall-clock of one row, with a bar counted in images that pass the network."""
    settings = config.evaluation
    passes = steps * (1 + settings.repeats * (1 + settings.timed_images))
    with Bar(f"time {label}", passes, "image passes") as bar, counted(model, bar):
        return time_sampling(
            draw, networks=model.networks, images=settings.timed_images, repeats=settings.repeats, device=by.device
        )


def evaluate_floor(config: Config, data: ImageDataModule, by: Standard) -> None:
    """Record the figures of real held-out images under the rows' setting, unless they are: the floor of the table."""
    stated = protocol(config, by, weights="none", sampler="held-out")
    name = f"held-out-{config.data['name']}-{stated.setting()}"
    results = Path(config.results)
    if records.find(results, name):
        return
    console.print(f"  the floor: {stated.samples:,} held-out images judged like samples")
    judged = evaluate_images(data.test_images, by.against, stated)
    result = records.Result(protocol=stated.to_dict(), hardware=hardware(by.device))
    record = records.reference(name, "held-out", config.model_dump(), data.digest("test"))
    record.results[stated.fingerprint()] = judged_result(result, judged, "held-out images")
    if by.against.held_out and not by.against.held_out.apart:  # the same images: 0 by construction
        for figure in ("c_t", "near_copies", "aligned_copies"):
            record.results[stated.fingerprint()].metrics.pop(figure, None)
            record.results[stated.fingerprint()].intervals.pop(figure, None)
    records.write(record, results)


def judged_result(result: records.Result, judged: Evaluation, label: str) -> records.Result:
    """Say a row's figures, what they cost and what makes them doubtful, and keep them in its result."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in judged.metrics.items())
    console.print(f"  {label}: {figures}")
    dear = {stage: seconds for stage, seconds in judged.seconds.items() if seconds >= 0.1}
    console.print("  [dim]seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in dear.items()) + "[/]")
    for flag in judged.flags:
        console.print(f"  [yellow]{label}: {flag}[/]")
    return result.model_copy(
        update={
            "metrics": judged.metrics,
            "intervals": judged.intervals,
            "fid_by_count": judged.fid_by_count,
            "flags": list(judged.flags),
            "seconds": {stage: round(seconds, 3) for stage, seconds in judged.seconds.items()},
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
