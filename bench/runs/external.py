"""`bench evaluate --images DIR --data NAME`: evaluate another program's samples as one more row."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from torch import Tensor

from bench.config.load import load, results_folder
from bench.config.schema import Config, ConfigError
from bench.evaluation.digest import digest as digest_of_tensors
from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.metrics.registry import expected
from bench.evaluation.png_folder import FORMATS, LOSSY, read_images
from bench.evaluation.protocol import Protocol
from bench.plots.sample_pictures import draw_row
from bench.results import records
from bench.results.layout import ResultsFolder, row_files
from bench.runs.build import build_data, check_evaluation, is_images
from bench.runs.context import CELLS, evaluation_context, protocol
from bench.runs.evaluate import unmeasured, with_figures
from bench.runs.plan import missing_metrics
from bench.runs.reproduce import settings, stored_protocol
from bench.runtime.console import Bar, console
from bench.runtime.locks import exclusive
from datamodules.folders import list_files

NAME = "A-Za-z0-9._-"  # characters of a record's file name, which W&B and LaTeX take as well
LONGEST = 120  # characters of a name, before what a record's file name adds


def evaluate_folder(
    folder: Path, data_name: str, name: str | None, overrides: Sequence[str], repeated: str | None = None
) -> None:
    """Evaluate the images below `folder` against a data set and record them as `name` (None: the folder's name).

    overrides: evaluation.*, data.* and results=DIR. repeated: a stored protocol to repeat, except for its sampler.
    """
    label = row_name(folder) if name is None else name
    if not re.fullmatch(rf"[{NAME}]*[A-Za-z0-9][{NAME}]*", label) or len(label) > LONGEST:
        raise ConfigError(
            f"--name={label}: takes letters A to Z, digits, dots, dashes and underscores only, {LONGEST} at most"
        )
    stated = stored_protocol(repeated, results_folder(overrides)) if repeated else None
    config = outside_config(data_name, overrides, stated)
    data = build_data(config)
    if not is_images(data):
        raise ConfigError(f"data={data_name}: points of the plane are not images; choose a data set of images")
    check_evaluation(config, data)
    images = read(folder, data.image_shape, config.evaluation.samples)
    evaluation = evaluation_context(config, data, "32-true", stated.cells if stated else CELLS)
    row: dict[str, Any] = {"weights": "none", "sampler": "images", "sampler_settings": {}, "precision": "float32"}
    row_protocol = dataclasses.replace(stated, **row) if stated else protocol(config, evaluation, **row)
    digest, results = digest_of_tensors({"images": images}), Path(config.results)
    run_id = f"{label}-{config.data['name']}-images"
    record = records.find(results, run_id)
    if record and record.data_digest != digest:
        raise ConfigError(
            f"--name={label}: {records.path(results, run_id)} was made from other images; choose another --name"
        )
    known = record.results.get(row_protocol.fingerprint()) if record else None
    missing = missing_metrics(known, expected(False))
    if known and not missing:
        console.print(f"[bold]{run_id}[/] is already evaluated, nothing to do: {records.path(results, run_id)}")
        return
    if known:
        console.print(f"  [bold]{run_id}[/], missing: {'; '.join(dict.fromkeys(missing.values()))}")
    with Bar(f"evaluate {label}", row_protocol.samples, "images") as bar:
        evaluated = evaluate_images(
            images, evaluation.reference_set, row_protocol,
            lambda stage, done, total: bar.advance(done - bar.done) if stage == "features" else None, missing,
        )  # fmt: skip
    result = with_figures(known or unmeasured(row_protocol, evaluation), evaluated, label, evaluation.code)
    with exclusive(results, run_id):
        new = records.reference(run_id, label, config.model_dump(), digest, records.EXTERNAL_FAMILY)
        record = records.find(results, run_id) or new
        record.results[row_protocol.fingerprint()] = result
        draw_row(evaluated, data, *row_files(ResultsFolder(results).pictures(run_id), "default"))
        records.write(record, results)
    console.print(f"  {row_protocol.line()}\n  recorded: {records.path(results, run_id)}; `bench table` has its row")


def row_name(folder: Path) -> str:
    """Return the folder's name, invalid characters replaced by dashes; ConfigError if no letter or digit is left."""
    label = re.sub(rf"[^{NAME}]+", "-", folder.resolve().name).strip("-")[:LONGEST]
    if not re.search("[A-Za-z0-9]", label):
        raise ConfigError(
            f"--images={folder}: the folder's name has no letter A to Z and no digit to name its row by; "
            "name the row with --name=NAME"
        )
    return label


def outside_config(data_name: str, overrides: Sequence[str], stated: Protocol | None) -> Config:
    """Return the configuration of the data and the evaluation; no model is trained."""
    allowed = ("evaluation.", "data.", "results=")
    if wrong := [word for word in overrides if not word.startswith(allowed)]:
        raise ConfigError(f"{wrong[0]}: `bench evaluate --images` takes evaluation.*, data.* and results=DIR only")
    unused = {f"evaluation.{key}=": "images are not timed" for key in ("timed_images", "repeats", "timed_only")}
    if stated:
        unused |= {f"evaluation.{key}=": "--protocol states it" for key in settings(stated)}
    for word in overrides:
        if reason := next((why for key, why in unused.items() if word.startswith(key)), None):
            raise ConfigError(f"{word}: not used with --images, because {reason}; leave it out")
    repeated = [f"evaluation.{name}={value}" for name, value in settings(stated).items()] if stated else []
    return load([f"data={data_name}", "model=vae", *repeated, *overrides])[0]


def read(folder: Path, shape: tuple[int, int, int], samples: int) -> Tensor:
    """Read the images of a folder, at least `samples` of them; print what is skipped."""
    listing = list_files(folder, FORMATS, "--images")
    if not listing.files:
        why = "; lossy files have other pixels than the samples had" if LOSSY & set(listing.left_out) else ""
        raise EvaluationError(
            f"--images={folder} holds no {', '.join(FORMATS)} file ({listing.note or 'it is empty'}{why}): "
            "save the samples as 8-bit PNG",
            key="--images",
            value=folder,
        )
    if listing.left_out:
        console.print(f"  [yellow]--images={escape(str(folder))}: {len(listing.files):,} images, {listing.note}[/]")
    with Bar(f"read {folder.name}", samples, "images") as bar:
        images = read_images(listing.files, shape, lambda _, done, total: bar.advance(done - bar.done))
    if len(images) < samples:
        raise EvaluationError(
            f"--images={folder} holds {len(images):,} images, but evaluation.samples={samples}; give more images, or "
            "set fewer samples for all rows of the table",
            key="--images",
            value=folder,
        )
    return images
