"""One config -> fit or resume -> evaluate -> record."""

import logging
import math
import time
import warnings
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from bench import pictures, records
from bench.beside import is_images, measure_abilities, measure_baselines, missing_abilities
from bench.callbacks import CleanStop, Diverged, FiniteLoss, ImagesSeen, RandomState, averaged_weights, checkpoints
from bench.config import run_id, without_name
from bench.evaluation import check_extractor, hardware
from bench.judge import evaluate_floor, evaluate_rows, missing_rows
from bench.progress import console
from bench.schema import Config, ConfigError
from bench.standard import standard
from bench.tracking import build_loggers, track_pictures
from datamodules import DATAMODULES, ImageDataModule
from models import MODELS, GenerativeModel
from models.base import LOG_EVERY

SECONDS_BETWEEN_CHECKPOINTS = 20
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # bench says itself what runs where


class Interrupted(Exception):
    """Training stopped by the user; the message says how to go on."""


def build_data(config: Config) -> ImageDataModule:
    """The configured images, loaded and checked."""
    build = DATAMODULES[config.data["name"]]
    train = config.train
    data = build(**without_name(config.data), batch_size=train.batch, images=train.images, seed=config.seed)
    data.prepare_data()
    data.setup()
    return data


def build_model(config: Config, image_shape: tuple[int, int, int]) -> GenerativeModel:
    """The configured model with the initial weights of its seed."""
    L.seed_everything(config.seed, verbose=False)
    try:
        return MODELS[config.model["name"]](image_shape, **without_name(config.model))
    except ValueError as error:
        raise ConfigError(f"model={config.model['name']}: {error}") from None


def preflight(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Refuse before any training what could not be trained, sampled or evaluated."""
    settings = config.trainer
    try:
        L.Trainer(accelerator=settings.accelerator, devices=settings.devices, logger=False, enable_checkpointing=False)
    except MisconfigurationException as error:
        raise ConfigError(f"trainer.accelerator={settings.accelerator}: {str(error).splitlines()[0]}") from None
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
    smallest = min(len(data.train_images), len(data.test_images))
    if is_images(data) and min(data.image_shape[1:]) < 3:
        raise ConfigError(
            f"data={config.data['name']}: images of {data.image_shape[1:]} are too small for SSIM's 3 x 3"
        )
    if settings.samples > smallest:
        raise ConfigError(
            f"evaluation.samples={settings.samples}: more than the {smallest} images of the smaller split of "
            f"{config.data['name']}, which the floor is drawn from"
        )


def run_config(config: Config) -> None:
    """Train one model unless that is done, then evaluate and record what is not recorded yet."""
    data = build_data(config)
    model = build_model(config, data.image_shape)
    preflight(config, data, model)
    name, results = run_id(config), Path(config.results)
    file, weights = records.path(results, name), results / "runs" / name / "final.ckpt"
    record = records.find(results, name)
    if record and record.data_digest != data.digest("train"):
        raise ConfigError(
            f"{file}: made from other images than data={config.data['name']} has now; use another results=DIR"
        )
    by = standard(config, data, resolve_precision(config))
    if record and not missing_rows(record, config, by, model) and not missing_abilities(record, config, data, model):
        console.print(f"[bold]{name}[/] is trained and evaluated, nothing to do: {file}")
        return
    if record and not weights.exists():
        raise ConfigError(f"{weights}: missing, so what {file} lacks cannot be measured; move that away to train again")
    evaluate_floor(config, data, by)
    measure_baselines(config, data)
    record = record or train(config, model, data, weights.parent)
    load_weights(model, weights)
    evaluate_rows(record, missing_rows(record, config, by, model), config, model, data, by)
    draw_pictures(config, data, model)  # before the abilities, so that a stop here leaves something missing
    measure_abilities(record, config, data, model, by.device)
    console.print(f"  recorded: {file}")


def load_weights(model: GenerativeModel, file: Path) -> None:
    """Fill the model from final weights; ConfigError if they are of another version of it."""
    try:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
    except RuntimeError as error:
        raise ConfigError(f"{file}: weights of another version of the model; train it again") from error


def train(config: Config, model: GenerativeModel, data: ImageDataModule, folder: Path) -> records.Record:
    """Fit, record, and drop the checkpoints that only a stopped training needs."""
    console.print(f"  [bold]{run_id(config)}[/]: {budget(config):,} images, {resolve_precision(config)}")
    record = fit(config, model, data, folder)
    records.write(record, Path(config.results))
    for checkpoint in (folder / "checkpoints").glob("*.ckpt"):
        checkpoint.unlink()
    return record


def draw_pictures(config: Config, data: ImageDataModule, model: GenerativeModel) -> None:
    """Draw what the model does into the folder of its sample grids, and hand all of them to W&B."""
    folder = Path(config.results) / "pictures" / run_id(config)
    if is_images(data):
        pictures.draw(model, data.test_images, data.test_labels, folder, seed=config.evaluation.seed)
    made = {file.stem: file for file in sorted(folder.glob("*.png"))}
    console.print(f"  pictures: {folder} ({', '.join(made)})")
    track_pictures(made, config, Path(config.results) / "runs" / run_id(config))


def fit(config: Config, model: GenerativeModel, data: ImageDataModule, folder: Path) -> records.Record:
    """Train to the end of the budget, from the newest intact checkpoint if there is one, and keep the final weights."""
    saved = folder / "checkpoints"
    saved.mkdir(parents=True, exist_ok=True)
    resume = newest_intact(saved)
    trainer = build_trainer(config, model, folder)
    clock = folder / "seconds"  # of training so far, over interruptions
    before = float(clock.read_text()) if resume and clock.exists() else 0.0
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # hints for users of Lightning, not of bench
        trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
    seconds = before + time.monotonic() - started
    records.write_text(clock, str(seconds))
    if model.images_seen < config.train.images:
        raise Interrupted(f"stopped after {model.images_seen:,} of {config.train.images:,} images; "
                          "the same command goes on from there")  # fmt: skip
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise Diverged(f"{run_id(config)}: the weights are no numbers any more; a lower model.learning_rate may help")
    trainer.save_checkpoint(folder / "final.ckpt", weights_only=True)
    return new_record(config, model, data, trainer, seconds)


def new_record(
    config: Config, model: GenerativeModel, data: ImageDataModule, trainer: L.Trainer, seconds: float
) -> records.Record:
    """What is known of a run when its training ends."""
    return records.Record(
        run_id=run_id(config),
        family=model.family,
        config=config.model_dump(),
        code=records.code_version(),
        libraries=records.library_versions(),
        data_digest=data.digest("train"),
        hardware=hardware(trainer.strategy.root_device) | {"processes": trainer.world_size},
        precision=str(trainer.precision),
        images_seen=model.images_seen,
        train_seconds=round(seconds, 1),
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        sampling_parameters=sum(p.numel() for network in model.networks for p in network.parameters()),
    )


def build_trainer(config: Config, model: GenerativeModel, folder: Path) -> L.Trainer:
    """Lightning's trainer with the suite's callbacks; one epoch is the whole budget."""
    callbacks: list[L.Callback] = [RandomState(config.seed)]
    if model.ema_decay:
        callbacks.append(averaged_weights(model.ema_decay))
    saved = folder / "checkpoints"
    callbacks += [ImagesSeen(f"train {config.model['name']}", budget(config)), FiniteLoss(), CleanStop(saved)]
    settings = config.trainer
    return L.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        precision=resolve_precision(config),  # type: ignore[arg-type]
        max_epochs=1,
        callbacks=[*callbacks, checkpoints(saved, SECONDS_BETWEEN_CHECKPOINTS)],
        logger=build_loggers(config, folder),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=LOG_EVERY,
    )


def budget(config: Config) -> int:
    """The images that whole batches make of `train.images`."""
    return math.ceil(config.train.images / config.train.batch) * config.train.batch


def resolve_precision(config: Config) -> str:
    """`auto` is bfloat16 where it is fast: AVX512-BF16 processors and GPUs that compute in it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if config.trainer.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if torch.backends.mps.is_available() and config.trainer.accelerator in ("auto", "mps"):
        return "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"


def newest_intact(folder: Path) -> Path | None:
    """The newest checkpoint that loads; damaged ones are named and set aside."""
    for file in sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            aside = file.with_suffix(".damaged")
            file.rename(aside)
            console.print(f"[yellow]{file} does not load ({type(error).__name__}); set aside as {aside.name}[/]")
        else:
            return file
    return None
