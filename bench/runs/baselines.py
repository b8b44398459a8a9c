"""Baselines of real data: held-out images, and held-out images with a known share of missing modes or spoiled images.

They are evaluated like samples, under the rows' protocol. The bars of the table's marks come from them, for reasons
that docs/measures.md gives, so no mark of coverage or quality depends on another model.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.config.schema import Config, ConfigError, conditional
from bench.evaluation import planted
from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.features.reference import BASELINE, subset
from bench.evaluation.keys import seeded
from bench.evaluation.metrics.memorisation import cell_of
from bench.evaluation.metrics.registry import expected
from bench.evaluation.protocol import FEWEST, Protocol
from bench.evaluation.scoring import GivenLabels, ReferenceSet
from bench.results import records
from bench.runs.context import EvaluationContext, protocol
from bench.runs.evaluate import unmeasured, with_figures
from bench.runs.plan import missing_metrics
from bench.runtime.console import console
from datamodules.base import ImageDataModule

HELD_OUT = "held-out"
SHARE = 0.1  # share of modes missing, or of images spoiled
FEWEST_CLASSES = 10  # that are modes: of fewer, one is more than SHARE


@dataclass(frozen=True)
class Baseline:
    """One baseline: `images(data, reference_set, n, seed)` gives at most n held-out images with a fault.

    images: N x C x H x W, of the split's dtype. name: of the record's model and sampler. words: the images'
    description, to follow a number.
    """

    name: str
    words: str
    images: Callable[[ImageDataModule, ReferenceSet, int, int], Tensor]


def baselines(data: ImageDataModule) -> tuple[Baseline, ...]:
    """Return all baselines for 8-bit images; only held-out points for the plane, whose density is known."""
    return BASELINES if data.test_images.dtype == torch.uint8 else BASELINES[:1]


def held_out(data: ImageDataModule, reference_set: ReferenceSet, n: int, seed: int) -> Tensor:
    """Return n held-out images, chosen by the seed, or all if there are fewer."""
    total = len(data.test_images)
    return data.test_images[subset(total, min(n, total), seed, BASELINE)]


def given_labels(data: ImageDataModule, reference_set: ReferenceSet, n: int, seed: int) -> GivenLabels:
    """Return the labels of `held_out` images, and n training images to teach a classifier that is tested on others."""
    assert reference_set.classes is not None
    chosen = subset(len(data.test_images), n, seed, BASELINE)
    counted = ~reference_set.classes.judge.learned[chosen]
    taught = subset(len(data.train_images), min(n, len(data.train_images)), seed, "real images that teach")
    return GivenLabels(data.test_labels[chosen], counted, data.train_images[taught], data.train_labels[taught])


def class_missing(data: ImageDataModule, reference_set: ReferenceSet, n: int, seed: int) -> Tensor:
    """Return n held-out images of nine in ten modes, or all of them if there are fewer.

    Modes are the data's K classes, of which K / 10, rounded up, are excluded. Where the data have fewer than ten, of
    which one would be too many, they are the cells of C_T, of which one in ten is excluded. The seed chooses which.
    """
    modes = data.test_labels
    count = int(max(data.train_labels.max(), modes.max())) + 1
    if count < FEWEST_CLASSES:
        assert reference_set.held_out is not None
        features, _ = reference_set.extractor.outputs(data.test_images)
        modes, count = cell_of(features, reference_set.held_out.centroids), len(reference_set.held_out.centroids)
    images = data.test_images[planted.missing_modes(modes, SHARE, count, seed)]
    return images[subset(len(images), min(n, len(images)), seed, BASELINE)]


def one_in_ten_spoiled(data: ImageDataModule, reference_set: ReferenceSet, n: int, seed: int) -> Tensor:
    """Return n held-out images, one in ten replaced by independent pixels, uniform on 0 .. 255.

    These are visibly not data, and precision falls by the share that is replaced (docs/measures.md).
    """
    images = held_out(data, reference_set, n, seed)
    where = planted.replacement(len(images), SHARE, seed)
    spoiled = images.clone()
    spoiled[where] = planted.white_noise(images[where], seeded("cpu", "spoiled images", seed))
    return spoiled


BASELINES = (
    Baseline(HELD_OUT, "held-out images", held_out),
    Baseline("class-missing", "held-out images, 1 in 10 classes missing", class_missing),
    Baseline("one-in-ten-spoiled", "held-out images, 1 in 10 images spoiled", one_in_ten_spoiled),
)


def measure_baselines(config: Config, data: ImageDataModule, evaluation: EvaluationContext) -> None:
    """Record the figures of the real-data baselines under the rows' protocol, unless they are recorded.

    A baseline has at most as many images as the split. Its protocol states their number, which may be smaller than the
    rows'.
    """
    results = Path(config.results)
    for baseline in baselines(data):
        row = protocol(config, evaluation, weights="none", sampler=baseline.name)
        name = f"{baseline.name}-{config.data['name']}-{row.setting()}"
        record = records.find(results, name) or records.reference(
            name, baseline.name, config.model_dump(), data.digest("test")
        )
        labelled = conditional(config.model) and baseline.name == HELD_OUT
        names = (*expected(labelled), *evaluation.own)
        missing = missing_metrics(next(iter(record.results.values()), None), names, evaluation.own)
        if not missing:
            continue
        images = baseline.images(data, evaluation.reference_set, row.samples, row.seed)
        if len(images) < FEWEST:
            console.print(f"  [yellow]{baseline.words}: {len(images)} images are too few to be evaluated[/]")
            continue
        given = given_labels(data, evaluation.reference_set, len(images), row.seed) if labelled else None
        measure_baseline(record, baseline, images, row, missing, evaluation, given)
        records.write(record, results)


def measure_baseline(
    record: records.Record,
    baseline: Baseline,
    images: Tensor,
    row: Protocol,
    missing: dict[str, str],
    evaluation: EvaluationContext,
    given: GivenLabels | None,
) -> None:
    """Measure the missing metrics of a baseline's images and put them in its record.

    row: the protocol of the rows. missing: metric -> the reason to compute it. given: the images' labels, where models
    are given any. ConfigError if a metric of the user's own fails.
    """
    stated = dataclasses.replace(row, samples=len(images), kid_subset_size=min(row.kid_subset_size, len(images)))
    console.print(f"  baseline: {stated.samples:,} {baseline.words}, evaluated like samples")
    known = record.results.get(stated.fingerprint())
    if known:
        console.print(f"  missing: {'; '.join(dict.fromkeys(missing.values()))}")
    evaluated = evaluate_images(
        images, evaluation.reference_set, stated, metrics=missing, given=given, own=evaluation.metrics
    )
    for name, error in evaluated.failed.items():  # before any training
        raise ConfigError(f"evaluation.metrics: {name} fails on held-out images: {error}", key="evaluation.metrics")
    result = with_figures(known or unmeasured(stated, evaluation), evaluated, baseline.words, evaluation.code)
    held_out_set = evaluation.reference_set.held_out
    if held_out_set and not held_out_set.disjoint:  # the same images: 0 by construction, FLD far too low
        for figure in ("c_t", "near_copies", "aligned_copies", "fld", "fld_gap"):
            result.metrics.pop(figure, None)
            result.intervals.pop(figure, None)
    if len(images) < row.samples:
        result.flags.append(f"of {len(images):,} images, all there are, where rows have {row.samples:,} samples")
    record.results[stated.fingerprint()] = result
