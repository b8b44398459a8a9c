"""Between a trained model and the evaluation: which rows a run fills, how each is measured, where it is recorded."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench import records
from bench.evaluation import (
    Evaluation,
    Extractor,
    Protocol,
    Reference,
    Timing,
    evaluate,
    evaluate_images,
    hardware,
    load_extractor,
    reference,
    time_sampling,
)
from bench.pictures import save_grid
from bench.progress import Bar, console
from bench.schema import Config
from datamodules import ImageDataModule
from models import GenerativeModel

CACHE = Path.home() / ".cache" / "generative-trilemma"  # reference features, by content


@dataclass(frozen=True)
class Standard:
    """What every row of a data set is measured with."""

    extractor: Extractor
    reference: Reference
    device: torch.device
    precision: str  # that samplers run in


def standard(config: Config, data: ImageDataModule, precision: str) -> Standard:
    """Load the extractor and the training split's features, computed once a machine."""
    settings = config.evaluation
    device = sampling_device(config)
    weights = Path(settings.extractor_weights) if settings.extractor_weights else None
    extractor = load_extractor(settings.extractor, weights, device)
    with Bar(f"{settings.extractor} features, train split", len(data.train_images), "images") as bar:
        features = reference(data.train_images, extractor, CACHE, lambda _, done, total: bar.advance(done - bar.done))
    return Standard(extractor, features, device, "bfloat16" if precision == "bf16-mixed" else "float32")


def sampling_device(config: Config) -> torch.device:
    """The device that samples are drawn on: where the training ran."""
    if config.trainer.accelerator == "cpu":
        return torch.device("cpu")
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def samplers(config: Config) -> dict[str, dict[str, Any]]:
    """The rows that a run fills: its samplers by name, or the model's one way to sample."""
    return config.samplers or {"default": {}}


def protocol(config: Config, by: Standard, **row: Any) -> Protocol:
    """The protocol of one row; `row` holds the fields that may differ between rows."""
    settings = config.evaluation
    return Protocol(
        data=config.data["name"],
        extractor=by.extractor.name,
        extractor_digest=by.extractor.digest,
        reference_digest=by.reference.digest,
        samples=settings.samples,
        seed=settings.seed,
        chunk=settings.chunk,
        **row,
    )


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
        if result is None or not (result.metrics or name in config.evaluation.timed_only):
            missing.append(name)
    return missing


def evaluate_rows(
    record: records.Record, names: Sequence[str], config: Config, model: GenerativeModel, by: Standard
) -> None:
    """Time and judge the named rows; each is recorded as soon as it is known."""
    model.to(by.device).eval()
    for name in names:
        settings = samplers(config)[name]
        label = config.model["name"] if name == "default" else f"{config.model['name']}, {name}"
        draw = autocast(partial(model.sample, **settings), by)
        steps = model.passes(**settings)
        timing = time_row(draw, label, steps, config, model, by)
        stated = row_protocol(config, by, model, name)
        metrics: dict[str, float] = {}
        if name not in config.evaluation.timed_only:
            passes = config.evaluation.samples * steps
            with Bar(f"sample {label}", passes, "image passes") as bar, counted(model, bar):
                judged = evaluate(draw, by.reference, by.extractor, stated, device=by.device)
            metrics = report(judged, label)
            grid = "samples" if name == "default" else f"samples-{name}"
            save_grid(judged.images, Path(config.results) / "pictures" / record.run_id / f"{grid}.png")
        record.results[stated.fingerprint()] = records.Result(
            protocol=stated.to_dict(), metrics=metrics, timing=dataclasses.asdict(timing), hardware=hardware(by.device)
        )
        records.write(record, Path(config.results))


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
    judged = evaluate_images(data.test_images, by.reference, by.extractor, stated)
    record = records.reference(name, "held-out", config.model_dump(), data.digest("test"))
    record.results[stated.fingerprint()] = records.Result(
        protocol=stated.to_dict(), metrics=report(judged, "held-out images"), hardware=hardware(by.device)
    )
    records.write(record, results)


def report(judged: Evaluation, label: str) -> dict[str, float]:
    """Say a row's figures, and what makes them doubtful, and pass the figures on."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in judged.metrics.items())
    console.print(f"  {label}: {figures}")
    for flag in judged.flags:
        console.print(f"  [yellow]{label}: {flag}[/]")
    return judged.metrics


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
