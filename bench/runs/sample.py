"""`bench sample RUN`: draw samples of a trained run and write them in a format that others read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.config.devices import resolve_precision, sampling_device
from bench.config.load import results_folder
from bench.config.paths import check_new
from bench.config.schema import Config, ConfigError, samplers
from bench.evaluation.image_files import hugging_face
from bench.evaluation.image_files.arrays import labels_file
from bench.evaluation.image_files.registry import FOLDER, WRITERS, suffix_of
from bench.evaluation.passes import counted_passes
from bench.evaluation.samples import generate, labels_of
from bench.evaluation.scoring import PREVIEW_SIZE
from bench.plots.image_grid import save
from bench.plots.model_pictures import save_grid
from bench.plots.sample_pictures import scatter
from bench.results.layout import ResultsFolder
from bench.runs.build import (
    announce_changes,
    build_data,
    build_model,
    check_sampler,
    data_spec,
    is_images,
    load_weights,
)
from bench.runs.evaluate import Sampling, sampling_of
from bench.runs.reproduce import changes_of, recorded_config
from bench.runtime.console import Bar, console
from bench.runtime.files import written_aside
from datamodules.base import ImageDataModule
from datamodules.mixtures import Mixture
from models.base import GenerativeModel
from models.captions import label_of, read, tokens_of

SETTINGS = ("evaluation.seed", "evaluation.chunk")  # of the evaluation, those that samples depend on
POINTS = ".npy"  # the one format of points of the plane, float32 N x 2


@dataclass(frozen=True)
class Given:
    """What all samples are given: a label, a caption, or nothing but what the model draws itself."""

    label: int | None = None
    caption: str | None = None

    @property
    def name(self) -> str:
        """The addition to the name of a folder."""
        if self.caption is not None:
            return "-" + "-".join(re.findall("[a-z0-9]+", self.caption.lower()))
        return "" if self.label is None else f"-label-{self.label}"


def sample_run(run: str, n: int, out: Path | None, given: Given, overrides: Sequence[str]) -> None:
    """Draw n samples of a run by one of its samplers into the new file or folder `out`; draw the first ones as a grid.

    With the number, seed and chunk of an evaluation, the samples are those that it judged. out: None for a folder
    below the results. given: label or caption of all samples; without any, a model that takes them draws them as the
    data have them. Labels are written beside the samples. overrides: samplers, evaluation.seed, evaluation.chunk,
    data.root and results.
    """
    if n < 1:
        raise ConfigError(f"--n={n}: must be 1 or more", key="--n", value=n)
    results = results_folder(overrides)
    changes = allowed_changes(run, results, overrides)
    _, config, weights = recorded_config(run, results, {**changes, "results": str(results)})
    sampler, settings = chosen_sampler(config, changes)
    data = build_data(config)
    target = check_target(out or default_target(results, run, sampler, data, given), is_images(data))
    model = build_model(config, data_spec(data))
    load_weights(model, weights)
    announce_changes(config)
    model.to(sampling_device(config)).eval()
    check_sampler(model, sampler, settings)
    check_label(given.label, model, config)
    caption = caption_tokens(given, model, config)
    label = given.label if caption is None else int(label_of(read(caption[None])[0]))
    precision = "bfloat16" if resolve_precision(config) == "bf16-mixed" else "float32"
    sampling = sampling_of(config, model, sampler, settings, precision, given.label, caption)
    samples = draw(sampling, config, n, is_images(data))
    grid = grid_file(target)
    if isinstance(data, Mixture):
        write_points(samples, target)
        save(scatter(samples[: PREVIEW_SIZE[samples.dtype]], data), grid)
    else:
        WRITERS[suffix_of(target)](samples, labels_drawn(sampling.model, config, n, label), target)
        save_grid(samples[: PREVIEW_SIZE[samples.dtype]], grid)
    console.print(f"  {n:,} samples: {target}\n  picture: {grid}", markup=False)


def grid_file(target: Path) -> Path:
    """Return where the first samples are drawn."""
    return target.with_name(f"{target.name}.grid.png")


def allowed_changes(run: str, results: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the overrides as nested dicts; ConfigError for a setting that samples do not depend on."""
    picks, changes = changes_of(run, results, overrides)
    wrong = [*picks, *(key for key in changes if key not in ("evaluation", "samplers", "data", "results", "plugins"))]
    evaluation = changes.get("evaluation", {})
    keys = evaluation if isinstance(evaluation, dict) else ()
    wrong += [f"evaluation.{key}" for key in keys if f"evaluation.{key}" not in SETTINGS]
    wrong += [f"data.{key}" for key in changes.get("data", {}) if key != "root"]
    if wrong:
        allowed = f"samplers, {', '.join(SETTINGS)}, data.root and results"
        raise ConfigError(f"{wrong[0]}: `bench sample` takes {allowed} only", key=wrong[0])
    return changes


def chosen_sampler(config: Config, changes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the one sampler that the changes name, else the run's headline sampler, with its settings."""
    known = samplers(config)
    named = list(changes.get("samplers", ())) or [config.headline or next(iter(known))]
    if len(named) > 1:
        raise ConfigError(f"samplers={','.join(named)}: `bench sample` draws by one of them; name it", key="samplers")
    return named[0], known[named[0]]


def check_label(label: int | None, model: GenerativeModel, config: Config) -> None:
    """Raise ConfigError for a label that the model does not take."""
    if label is None:
        return
    if not model.classes:
        raise ConfigError(
            f"--label={label}: {config.model['name']} was trained without labels; leave --label out, or train with "
            "model.condition=label",
            key="--label", value=label,
        )  # fmt: skip
    if not 0 <= label < model.classes:
        raise ConfigError(f"--label={label}: choose from 0 to {model.classes - 1}", key="--label", value=label)


def caption_tokens(given: Given, model: GenerativeModel, config: Config) -> Tensor | None:
    """Return the caption's tokens, None without a caption; ConfigError for one that the model does not take."""
    if given.caption is None:
        return None
    if given.label is not None:
        raise ConfigError(f"--caption: names the digits already; leave --label={given.label} out", key="--caption")
    if not model.captioned:
        raise ConfigError(
            f"--caption: {config.model['name']} was trained without captions; train a ddpm with model.condition=text",
            key="--caption", value=given.caption,
        )  # fmt: skip
    try:
        return tokens_of(given.caption, model.image_shape[0])
    except ValueError as error:
        raise ConfigError(f"--caption: {error}", key="--caption", value=given.caption) from None


def labels_drawn(model: GenerativeModel, config: Config, n: int, label: int | None) -> Tensor | None:
    """Return the labels of the samples, int64 n; None of a model that takes none."""
    if label is not None:
        return torch.full((n,), label)
    if not model.classes:
        return None
    evaluation = config.evaluation
    return labels_of(
        model.draw_labels, n,
        chunk=evaluation.chunk, seed=evaluation.seed, training_seed=config.seed, device=model.device,
    )  # fmt: skip


def default_target(results: Path, run: str, sampler: str, data: ImageDataModule, given: Given) -> Path:
    """Return the place of samples below the results folder."""
    name = (run if sampler == "default" else f"{run}-{sampler}") + given.name
    name = name.replace(".", "_")  # of a sampler such as sde-dpm-solver-20-w1.5: a dot would begin a suffix
    return ResultsFolder(results).samples / (name + (FOLDER if is_images(data) else POINTS))


def check_target(target: Path, images: bool) -> Path:
    """Return `target` if samples can be written there; ConfigError if it exists or its suffix is no format's."""
    formats = [suffix for suffix in WRITERS if suffix] if images else [POINTS]
    if (suffix := suffix_of(target)) not in (WRITERS if images else formats):
        more = "; a name without suffix is a folder of PNG files" if images else ", for points of the plane"
        raise ConfigError(
            f"--out={target}: {suffix or 'no suffix'} is no format that is written; choose {', '.join(formats)}{more}",
            key="--out", value=str(target), choices=formats,
        )  # fmt: skip
    for file in (target, grid_file(target), labels_file(target)):
        check_new("--out", file)
    if suffix == hugging_face.SUFFIX:
        hugging_face.library(target)  # before anything is drawn
    return target


def draw(sampling: Sampling, config: Config, n: int, images: bool) -> Tensor:
    """Draw n samples in the chunks of an evaluation: uint8 N x C x H x W, or float32 for points, on the CPU."""
    evaluation = config.evaluation
    with (
        Bar(f"sample {sampling.label}", n * sampling.passes, "image passes") as bar,
        counted_passes(sampling.model.networks, bar.advance),
    ):
        chunks = generate(
            sampling.draw, n, chunk=evaluation.chunk, seed=evaluation.seed, training_seed=config.seed,
            quantisation="uint8" if images else "none", device=sampling.model.device,
        )  # fmt: skip
        return torch.cat([chunk.cpu() for _, chunk in chunks])


def write_points(points: Tensor, target: Path) -> None:
    """Write points N x 2 x 1 x 1 as float32 N x 2."""
    with written_aside(target) as aside:
        np.save(aside, points.flatten(1).numpy())
