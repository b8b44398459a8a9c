"""`bench evaluate --images PATH --data NAME`: evaluate another program's samples as one more row."""

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from bench.config.load import load, results_folder
from bench.config.schema import Config, ConfigError
from bench.evaluation.digest import digest as digest_of_tensors
from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.image_files.registry import stem_of
from bench.evaluation.metrics.registry import expected
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import Evaluation
from bench.plots.sample_pictures import draw_row
from bench.results import records
from bench.results.layout import ResultsFolder, row_files
from bench.results.records import Record
from bench.runs.build import build_data, check_evaluation, check_samples, is_images
from bench.runs.context import CELLS, EvaluationContext, evaluation_context, protocol
from bench.runs.evaluate import unmeasured, with_figures
from bench.runs.fitting import fit_evaluation
from bench.runs.image_files import read, reader_of
from bench.runs.plan import missing_metrics
from bench.runs.reproduce import settings, stored_protocol
from bench.runtime.console import Bar, console
from bench.runtime.locks import exclusive
from datamodules.base import ImageDataModule

NAME = "A-Za-z0-9._-"  # characters of a record's file name, which W&B and LaTeX take as well
LONGEST = 120  # characters of a name, before what a record's file name adds


Draw = Callable[..., None]  # (evaluation, samples=PATH, nearest=PATH): the pictures of a row
OF_IMAGES: dict[str, Any] = {  # a row's own fields of the protocol
    "weights": "none", "sampler": "images", "sampler_settings": {}, "precision": "float32",
}  # fmt: skip


def evaluate_files(
    path: Path, data_name: str, name: str | None, overrides: Sequence[str], repeated: str | None = None
) -> None:
    """Evaluate the images in a file or folder against a data set and record them as `name` (None: the path's own name).

    overrides: evaluation.*, data.* and results=DIR. repeated: a stored protocol to repeat, except for its sampler.
    """
    label = check_label(row_name("--images", path) if name is None else name)
    reader = reader_of(path)
    stated = stored_protocol(repeated, results_folder(overrides)) if repeated else None
    config = outside_config(data_name, overrides, stated)
    config, data = image_data(config)
    images = read(path, reader, data.image_shape, config.evaluation.samples).images
    evaluation, row_protocol = row_conditions(config, data, stated)
    new = new_record(label, config.preset, config.data, images)
    if record_row(Path(config.results), new, images, evaluation, row_protocol, partial(draw_row, data=data)):
        console.print("  `bench table` has its row")


def image_data(config: Config) -> tuple[Config, ImageDataModule]:
    """Load the data set that images are compared with, and fit the evaluation to it; ConfigError if it is of points."""
    data = build_data(config)
    if not is_images(data):
        name = config.data["name"]
        raise ConfigError(f"data={name}: points of the plane are not images; choose a data set of images")
    config = fit_evaluation(config, data)
    check_evaluation(config, data)
    check_samples(config, data)
    return config, data


def row_conditions(
    config: Config, data: ImageDataModule, stated: Protocol | None = None
) -> tuple[EvaluationContext, Protocol]:
    """Return the means to evaluate a row of images, and its protocol; stated: a protocol to repeat."""
    evaluation = evaluation_context(config, data, "32-true", stated.cells if stated else CELLS)
    return evaluation, dataclasses.replace(stated, **OF_IMAGES) if stated else protocol(config, evaluation, **OF_IMAGES)


def new_record(label: str, preset: str, data: dict[str, Any], images: Tensor) -> Record:
    """Return an empty record of images that are called `label`."""
    config, digest = {"preset": preset, "data": data}, digest_of_tensors({"images": images})
    return records.reference(f"{label}-{data['name']}-images", label, config, digest, records.EXTERNAL_FAMILY)


def record_row(
    results: Path, new: Record, images: Tensor, evaluation: EvaluationContext, stated: Protocol, draw: Draw
) -> Evaluation | None:
    """Evaluate images and record the figures in the record of the name of `new`, if there is one, else in `new`.

    draw: writes the pictures of the evaluation. Returns None where nothing is missing. ConfigError if the record is of
    other images.
    """
    run_id, label, file = new.run_id, new.config["model"]["name"], records.path(results, new.run_id)
    record = records.find(results, run_id)
    if record and record.data_digest != new.data_digest:
        raise ConfigError(f"{label}: {file} was made from other images; choose another name")
    known = record.results.get(stated.fingerprint()) if record else None
    missing = missing_metrics(known, (*expected(False), *evaluation.own), evaluation.own)
    if known and not missing:
        console.print(f"[bold]{run_id}[/] is already evaluated, nothing to do: {file}")
        return None
    if known:
        console.print(f"  [bold]{run_id}[/], missing: {'; '.join(dict.fromkeys(missing.values()))}")
    evaluated = measure_images(images, evaluation, stated, label, missing)
    result = with_figures(known or unmeasured(stated, evaluation), evaluated, label, evaluation.code)
    with exclusive(results, run_id):
        record = records.find(results, run_id) or new
        record.results[stated.fingerprint()] = result
        samples, nearest = row_files(ResultsFolder(results).pictures(run_id), "default")
        draw(evaluated, samples=samples, nearest=nearest)
        records.write(record, results)
    console.print(f"  {stated.line()}\n  recorded: {file}")
    return evaluated


def measure_images(
    images: Tensor, evaluation: EvaluationContext, stated: Protocol, label: str, metrics: Collection[str] | None = None
) -> Evaluation:
    """Compute metrics (None: all) of images, N x C x H x W, with a bar."""
    with Bar(f"evaluate {label}", stated.samples, "images") as bar:
        return evaluate_images(
            images, evaluation.reference_set, stated,
            lambda stage, done, total: bar.advance(done - bar.done) if stage == "features" else None, metrics,
            own=evaluation.metrics,
        )  # fmt: skip


def check_label(label: str, key: str = "--name") -> str:
    """Return the name of a row, the value of `key`, if a file can have it; ConfigError otherwise."""
    if not re.fullmatch(rf"[{NAME}]*[A-Za-z0-9][{NAME}]*", label) or len(label) > LONGEST:
        raise ConfigError(
            f"{key}={label}: takes letters A to Z, digits, dots, dashes and underscores only, {LONGEST} at most"
        )
    return label


def row_name(key: str, path: Path) -> str:
    """Return the name without suffix of a file or folder, invalid characters replaced by dashes.

    key: the option that names it. ConfigError if no letter or digit is left.
    """
    label = re.sub(rf"[^{NAME}]+", "-", stem_of(path.resolve())).strip("-")[:LONGEST]
    if not re.search("[A-Za-z0-9]", label):
        raise ConfigError(
            f"{key}={path}: its name has no letter A to Z and no digit to name its row by; "
            f"{'name the row with --name=NAME' if key == '--images' else 'rename the file'}"
        )
    return label


def outside_config(data_name: str, overrides: Sequence[str], stated: Protocol | None) -> Config:
    """Return the configuration of the data and the evaluation; no model is trained."""
    check_words(overrides, ("evaluation.", "data.", "results="), "evaluation.*, data.* and results=DIR", stated)
    repeated = [f"evaluation.{name}={value}" for name, value in settings(stated).items()] if stated else []
    return load([f"data={data_name}", "model=vae", *repeated, *overrides])[0]


def check_words(overrides: Sequence[str], allowed: tuple[str, ...], words: str, stated: Protocol | None = None) -> None:
    """Raise ConfigError for a setting that the evaluation of images does not use, or that its protocol states."""
    if wrong := [word for word in overrides if not word.startswith(allowed)]:
        raise ConfigError(f"{wrong[0]}: `bench evaluate --images` takes {words} only")
    unused = {f"evaluation.{key}=": "they are not timed" for key in ("timed_images", "repeats", "timed_only")}
    if stated:
        unused |= {f"evaluation.{key}=": "--protocol states it" for key in settings(stated)}
    for word in overrides:
        if reason := next((why for key, why in unused.items() if word.startswith(key)), None):
            raise ConfigError(f"{word}: not used for images, because {reason}; leave it out")
