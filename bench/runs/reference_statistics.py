"""Moments of a reference as a file: `bench reference export`, and `bench evaluate --images PATH --reference FILE`."""

from collections.abc import Sequence
from pathlib import Path

from bench.config.devices import sampling_device
from bench.config.load import load
from bench.config.paths import check_new
from bench.config.schema import ConfigError
from bench.evaluation.features import statistics
from bench.evaluation.features.extractor import Extractor, check_channels
from bench.evaluation.features.registry import INCEPTION
from bench.evaluation.features.statistics import SUFFIX, Statistics, check_extractor_of, reference_of
from bench.evaluation.metrics.registry import expected
from bench.evaluation.protocol import STATISTICS, Protocol
from bench.evaluation.scoring import Evaluation, ReferenceSet
from bench.plots.model_pictures import save_grid
from bench.results import records
from bench.runs.build import build_data, check_evaluation, check_size, is_images
from bench.runs.context import EvaluationContext, configured_extractor, training_reference
from bench.runs.external import OF_IMAGES, check_label, check_words, new_record, record_row, row_name
from bench.runs.fitting import fit_evaluation
from bench.runs.image_files import read, reader_of
from bench.runtime.console import console
from bench.runtime.provenance import code_version

EXPORTED = ("data=", "data.", "evaluation.extractor=", "evaluation.extractor_weights=")


def export(overrides: Sequence[str], out: Path) -> None:
    """Write mean and covariance of the training split's features to the new file `out`.

    overrides: data=NAME, data.*, evaluation.extractor and evaluation.extractor_weights.
    """
    if wrong := [word for word in overrides if not word.startswith(EXPORTED)]:
        raise ConfigError(f"{wrong[0]}: `bench reference export` takes {', '.join(EXPORTED)} only")
    if out.suffix.lower() != SUFFIX:
        raise ConfigError(f"--out={out}: statistics are written as {SUFFIX} only", key="--out", choices=[SUFFIX])
    check_new("--out", out)
    config = load(["model=vae", *overrides])[0]  # any model: only data and evaluation matter here
    data = build_data(config)
    name = config.data["name"]
    if not is_images(data):
        raise ConfigError(f"data={name}: points of the plane are not images; choose a data set of images")
    config = fit_evaluation(config, data)
    check_evaluation(config, data)
    extractor = configured_extractor(config)
    statistics.write(training_reference(data, extractor).moments, extractor, out)
    console.print(
        f"  {out}: mu and sigma of {len(data.train_images):,} training images of {name} in {extractor.name} "
        f"features (sha {extractor.digest[:8]})",
        markup=False,
    )


def evaluate_against(path: Path, file: Path, name: str | None, overrides: Sequence[str]) -> None:
    """Compute the figures of images that need no more of a reference than its moments, and record them.

    path: images in any format. file: the moments. name: of the row; None: the path's own. overrides: evaluation.* and
    results=DIR. The record's data are the file, so no table has these figures beside those of a data set.
    """
    label, data_name = check_label(row_name("--images", path) if name is None else name), row_name("--reference", file)
    reader = reader_of(path)
    moments = statistics.read(file)
    check_words(overrides, ("evaluation.", "results="), "evaluation.* and results=DIR with --reference")
    if wrong := [word for word in overrides if word.startswith("evaluation.metrics=")]:
        raise ConfigError(f"{wrong[0]}: --reference has moments only; compare with a data set, --data=NAME, for yours")
    network = f"evaluation.extractor={moments.extractor or INCEPTION}"
    config = load(["data=mnist", "model=vae", network, *overrides])[0]  # of which the evaluation alone matters
    extractor = configured_extractor(config)
    check_extractor_of(moments, extractor, file)
    images = read(path, reader, None, config.evaluation.samples).images
    check_channels(extractor.name, extractor.channels, images.shape[1])
    check_size(f"--images={path}", images.shape[2:])
    print_facts(file, moments, extractor)
    reference = reference_of(moments, extractor, tuple(images.shape[1:]))
    evaluation = EvaluationContext(
        ReferenceSet(extractor, reference), sampling_device(config), "float32", code_version()
    )
    settings = config.evaluation
    stated = Protocol(
        data=data_name, extractor=extractor.name, extractor_digest=extractor.digest, reference=STATISTICS,
        reference_digest=reference.digest, samples=settings.samples, seed=settings.seed, chunk=settings.chunk,
        **OF_IMAGES,
    )  # fmt: skip
    new = new_record(label, config.preset, {"name": data_name}, images)
    if record_row(Path(config.results), new, images, evaluation, stated, draw_grid):
        record = records.find(Path(config.results), new.run_id)
        known = record.results[stated.fingerprint()].metrics if record else {}
        lacking = [metric for metric in expected(False) if metric not in known]
        console.print(
            f"  left out: {', '.join(lacking)}; these need images of the reference, its classes, or more samples"
        )


def print_facts(file: Path, moments: Statistics, extractor: Extractor) -> None:
    """Print what the file does not state or what of it is not used."""
    if moments.left_out:
        console.print(f"  --reference={file}: left out {', '.join(moments.left_out)}", style="yellow", markup=False)
    if not moments.extractor_digest:
        console.print(
            f"  --reference={file} states no network: the figures hold if you know that it is of {extractor.name} with "
            f"weights of sha {extractor.digest[:8]}",
            style="yellow",
            markup=False,
        )


def draw_grid(evaluated: Evaluation, samples: Path, nearest: Path) -> None:
    """Draw the first images; the reference has none that could be nearest to them."""
    save_grid(evaluated.images, samples)
