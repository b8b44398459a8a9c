"""One config -> fit or resume -> evaluate -> record."""

import time
from pathlib import Path

import lightning as L
import torch
from rich.markup import escape

from bench.config.load import run_id, without_name
from bench.config.paths import check_results
from bench.config.schema import Config, ConfigError
from bench.evaluation.features.registry import check_extractor
from bench.evaluation.keys import key
from bench.evaluation.protocol import NEIGHBOURS
from bench.plots import model_pictures as pictures
from bench.results import records
from bench.results import status as live
from bench.results.records import Record
from bench.runs.context import Standard, standard
from bench.runs.evaluate import evaluate_floor, evaluate_rows, row_protocol
from bench.runs.plan import Step, Targets, plan, samplers, sentence
from bench.runs.tasks import ability_protocols, is_images, measure_abilities, measure_baselines
from bench.runtime import ranks
from bench.runtime.console import console
from bench.runtime.locks import exclusive
from bench.tracking.identity import by_agent, open_session
from bench.tracking.log import whole
from bench.tracking.session import Session
from bench.training.fit import check_resumable, resolve_precision, train
from bench.training.launch import launch
from datamodules import DATAMODULES, ImageDataModule
from models import MODELS, GenerativeModel

SMALLEST_SIDE = 4  # pixels; the classifiers' two poolings leave one of it, and SSIM's window is 3 x 3


def build_data(config: Config) -> ImageDataModule:
    """The configured images, loaded and checked."""
    build = DATAMODULES[config.data["name"]]
    train = config.train
    data = build(**without_name(config.data), batch_size=train.batch, images=train.images, seed=config.seed)
    ranks.on_first(data.prepare_data)
    ranks.on_each(data.prepare_data)  # finds its files there, but on machines with no file system in common
    ranks.on_each(data.setup)
    ranks.on_first(lambda: print_notes(data))
    return data


def print_notes(data: ImageDataModule) -> None:
    """Print what a user should know about the files of a data set, a line each."""
    for note in data.notes:
        console.print(f"  [yellow]{escape(note)}[/]")


def build_model(config: Config, image_shape: tuple[int, int, int]) -> GenerativeModel:
    """The configured model with the initial weights of its seed."""
    L.seed_everything(key("initial weights", config.seed), verbose=False)
    try:
        return MODELS[config.model["name"]](image_shape, **without_name(config.model))
    except ValueError as error:
        raise ConfigError(f"model={config.model['name']}: {error}") from None


def preflight(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Refuse before any training what could not be trained, sampled or evaluated."""
    for name, sampler in config.samplers.items():
        try:
            model.check_sampler(**sampler)
        except ValueError as error:
            raise ConfigError(f"samplers.{name}: {error}") from None
    check_evaluation(config, data)


def check_evaluation(config: Config, data: ImageDataModule) -> None:
    """Refuse settings that the images or the machine cannot meet."""
    settings = config.evaluation
    weights = Path(settings.extractor_weights) if settings.extractor_weights else None
    check_extractor(settings.extractor, data.image_shape[0], weights)
    if is_images(data) and min(data.image_shape[1:]) < SMALLEST_SIDE:
        height, width = data.image_shape[1:]
        raise ConfigError(
            f"data={config.data['name']}: images of {height} x {width} pixels are too small to be evaluated, which "
            f"takes {SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )
    smallest = min(len(data.train_images), len(data.test_images))
    if smallest <= NEIGHBOURS:
        raise ConfigError(
            f"data={config.data['name']}: {smallest} images in the smaller split are too few to have {NEIGHBOURS} "
            "nearest neighbours each; give more images"
        )


def run_config(config: Config) -> list[Step]:
    """Train one model unless that is done, then evaluate and record what is not recorded yet; returns what was done."""
    check_results(Path(config.results), writes=True)
    launch(config.trainer)
    data = build_data(config)
    model = build_model(config, data.image_shape)
    ranks.on_each(lambda: preflight(config, data, model))
    with exclusive(Path(config.results), run_id(config)):
        return run(config, data, model)


def run(config: Config, data: ImageDataModule, model: GenerativeModel) -> list[Step]:
    """`run_config`, of what it has built and checked."""
    name, results = run_id(config), Path(config.results)
    file, weights = records.path(results, name), results / "runs" / name / "final.ckpt"
    record = ranks.on_first(lambda: records.find(results, name))
    if record and record.data_digest != data.digest("train"):
        raise ConfigError(
            f"{file}: made from other images than data={config.data['name']} has now; use another results=DIR"
        )
    if record is None:
        ranks.on_first(lambda: check_resumable(config, data, weights.parent))
    with exclusive(results, "references"):  # which all runs share: measured once, by whoever comes first
        started = time.monotonic()
        by = references(config, data)
        judging = time.monotonic() - started
    goal = targets(config, data, model, by)
    steps = plan(config, record, goal)
    if record and not steps:
        console.print(f"[bold]{name}[/] is trained and evaluated, nothing to do: {file}")
        if by_agent():  # whose sweep waits for the figures
            with open_session(config, weights.parent) as told:
                told.tell(lambda run: whole(run, told, record, results))
        return steps
    if record and not ranks.on_first(weights.exists):
        raise ConfigError(
            f"{weights}: missing, so what {file} lacks cannot be measured ({sentence(steps)}); "
            "move that away to train again"
        )
    if record:
        console.print(f"  [bold]{name}[/], missing: {sentence(steps)}")
    with open_session(config, weights.parent) as told, live.shown(name, config.model_dump(), weights.parent):
        complete(record, goal, config, data, model, by, told, judging)
    console.print(f"  recorded: {file}")
    return steps


def targets(config: Config, data: ImageDataModule, model: GenerativeModel, by: Standard) -> Targets:
    """Fingerprints of all that the run's record will hold."""
    rows = {name: row_protocol(config, by, model, name).fingerprint() for name in samplers(config)}
    abilities = ability_protocols(config, data, model)
    return Targets(rows, {name: stated.fingerprint() for name, stated in abilities.items()})


def complete(
    record: Record | None,
    goal: Targets,
    config: Config,
    data: ImageDataModule,
    model: GenerativeModel,
    by: Standard,
    told: Session,
    judging: float,
) -> None:
    """Train unless there is a record, then measure and record what it lacks.

    judging: seconds that were spent for that before.
    """
    results = Path(config.results)
    weights = results / "runs" / run_id(config) / "final.ckpt"
    record = record or train(config, model, data, weights.parent, told)
    started = time.monotonic()
    load_weights(model, weights)
    steps = plan(config, record, goal)
    evaluate_rows(record, steps, config, model, data, by)

    def finish() -> None:
        if any(step.what != "metrics" for step in steps):
            draw_pictures(config, data, model)  # before the abilities, so that a stop here leaves something missing
        names = [step.name for step in steps if step.what == "ability"]
        measure_abilities(record, names, config, data, model, by.device)
        record.evaluate_seconds = round(record.evaluate_seconds + judging + time.monotonic() - started, 3)
        records.write(record, results)
        told.tell(lambda run: whole(run, told, record, results))

    ranks.on_first(finish)


def references(config: Config, data: ImageDataModule) -> Standard:
    """What runs are judged by; the figures of real images and of simple features are recorded unless they are."""
    by = ranks.in_turn(lambda: standard(config, data, resolve_precision(config)))
    ranks.on_first(lambda: evaluate_floor(config, data, by))
    ranks.on_first(lambda: measure_baselines(config, data))
    return by


def load_weights(model: GenerativeModel, file: Path) -> None:
    """Fill the model from final weights; ConfigError if they are of another version of it."""
    try:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
    except RuntimeError as error:
        raise ConfigError(f"{file}: weights of another version of the model; train it again") from error


def draw_pictures(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Draw what the model does into the folder of its sample grids."""
    folder = Path(config.results) / "pictures" / run_id(config)
    if is_images(data):
        pictures.draw(model, data.test_images, data.test_labels, folder, seed=config.evaluation.seed)
    console.print(f"  pictures: {folder} ({', '.join(file.stem for file in records.visible(folder, '*.png'))})")
