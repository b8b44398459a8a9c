"""Evaluate a sampler or images of your own from Python."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from bench.config.paths import check_results, expand
from bench.config.schema import Config
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import Sample, generate
from bench.plots.sample_pictures import draw_row
from bench.results import records
from bench.results.records import Record, Result
from bench.runs.evaluate import completed, unmeasured
from bench.runs.external import (
    check_label,
    image_data,
    measure_images,
    new_record,
    outside_config,
    record_row,
    row_conditions,
)
from bench.runs.image_files import read, reader_of
from bench.runtime.console import Bar
from bench.runtime.errors import InputError
from bench.table.aggregate import names
from bench.table.columns import own_columns
from bench.table.rows import gather
from datamodules.base import ImageDataModule
from generative_trilemma.measurement import Measurement, measured
from generative_trilemma.settings import Setting, input_errors, words

UNNAMED = "samples"  # of images that are not recorded
SECTIONS = ("evaluation", "data")


def evaluate(
    sample_or_images: "Callable[[int, torch.Generator], Tensor] | object",
    data: str = "mnist",
    samples: int = 2000,
    *,
    record_as: str | None = None,
    results: str | os.PathLike[str] = "results",
    device: str = "cpu",
    **settings: Setting,
) -> Measurement:
    """Compare samples with a data set as the rows of the table are compared; return figures, intervals and protocol.

    sample_or_images: one of
      - a sampler, (n, generator) -> float32 n x C x H x W in [-1, 1], as a model's `sample`; it is called in chunks of
        `evaluation__chunk`, without gradients, and its values are clipped to the range and rounded to 8 bits;
      - images, uint8 N x C x H x W with N >= samples, as a tensor or an array; `samples` of them are chosen;
      - the path of a folder or a file of images in any format that `bench evaluate` reads.
    data: a data set's name, or the place of a class of yours, as in "./mine.py:Mine".
    samples: images that are judged, at least 16.
    record_as: a name, under which the images become a row of the table of `results`; None: nothing is recorded.
    device: of the sampler's generator, as in "cuda".
    settings: of the evaluation and of the data, as in `evaluation__seed=1` or `data__root="images"`.

    The first call for a data set computes the features of its training images, which are kept in
    ~/.cache/generative-trilemma. Raises InputError for a mistake: other types, shapes or numbers of images, NaN, an
    unknown name or setting. An exception of the sampler itself passes through.
    """
    label = UNNAMED if record_as is None else check_label(record_as, "record_as")
    folder = check_results(Path(expand("results", os.fspath(results))), writes=record_as is not None)
    for key in settings:
        if key.replace("__", ".").partition(".")[0] not in SECTIONS:
            message = f"{key}: evaluate takes the settings evaluation__NAME and data__NAME only"
            raise InputError(message, key=key, value=settings[key])
    with input_errors(evaluation__samples="samples"):
        config = outside_config(data, words({"evaluation.samples": samples, **settings}), None)
        config, loaded = image_data(config)
        images = images_of(sample_or_images, loaded, config, torch.device(device))
        record, stated, result = evaluated(images, label, loaded, config, folder if record_as else None)
    (row,) = gather([record.model_copy(update={"results": {stated.fingerprint(): result}})], names([record]))
    name = f" of {record_as}" if record_as else ""
    title = f"{stated.samples:,} samples{name}, compared with {stated.data}"
    return Measurement(title, measured(row.figures, own_columns([result])), stated.to_dict(), stated.line(), row.flags)


def evaluated(
    images: Tensor, label: str, data: ImageDataModule, config: Config, folder: Path | None
) -> tuple[Record, Protocol, Result]:
    """Return the record of images, their protocol and its result; recorded in a results folder, or nowhere."""
    evaluation, stated = row_conditions(config, data)
    record = new_record(label, config.preset, config.data, images)
    if folder is None:
        figures = measure_images(images, evaluation, stated, label)
        return record, stated, completed(unmeasured(stated, evaluation), figures, evaluation.code)
    record_row(folder, record, images, evaluation, stated, partial(draw_row, data=data))
    known = records.find(folder, record.run_id)
    assert known is not None
    return known, stated, known.results[stated.fingerprint()]


def images_of(source: object, data: ImageDataModule, config: Config, device: torch.device) -> Tensor:
    """Return uint8 images N x C x H x W of the data's size from a sampler, an array or a path; InputError otherwise."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(expand("images", os.fspath(source)))
        return read(path, reader_of(path, "images"), data.image_shape, config.evaluation.samples, "images").images
    if callable(source):
        return drawn(source, data, config, device)
    try:
        images = torch.as_tensor(source)
    except (TypeError, ValueError, RuntimeError):
        kind = type(source).__name__
        raise InputError(f"evaluate: {kind} is no sampler (a callable), no images (an array) and no path") from None
    wanted = " x ".join(map(str, data.image_shape))
    if images.dtype != torch.uint8 or images.dim() != 4 or tuple(images.shape[1:]) != tuple(data.image_shape):
        raise InputError(
            f"evaluate: the images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}; give "
            f"uint8, N x {wanted}, or a sampler that returns float32 in [-1, 1]"
        )
    if len(images) < config.evaluation.samples:
        raise InputError(
            f"evaluate: {len(images):,} images, but samples={config.evaluation.samples}; give more images or set fewer",
            key="samples", value=config.evaluation.samples,
        )  # fmt: skip
    return images.cpu()


def drawn(sample: Sample, data: ImageDataModule, config: Config, device: torch.device) -> Tensor:
    """Draw samples in chunks, each with a generator of its own; InputError for images of another shape."""
    settings = config.evaluation

    def checked(n: int, generator: torch.Generator) -> Tensor:
        x = sample(n, generator)
        expected = (n, *data.image_shape)
        if not isinstance(x, Tensor) or tuple(x.shape) != expected:
            shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"evaluate: the sampler returned {shape} for n={n}; expected a tensor of shape {expected}")
        return x

    chunks = []
    with Bar("sample", settings.samples, "images") as bar, torch.no_grad():
        for _, images in generate(checked, settings.samples, chunk=settings.chunk, seed=settings.seed, device=device):
            chunks.append(images.cpu())
            bar.advance(len(images))
    return torch.cat(chunks)
