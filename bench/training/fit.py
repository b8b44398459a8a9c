"""Train one model: from its newest intact checkpoint to its final weights and a record of its cost."""

import logging
import os
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.strategies.ddp import DDPStrategy

from bench.config.devices import budget, resolve_precision
from bench.config.schema import Config
from bench.evaluation.timing import hardware
from bench.results import records
from bench.results.identity import run_id
from bench.results.layout import checkpoints_of, weights_of
from bench.runtime import ranks
from bench.runtime.console import console
from bench.runtime.provenance import library_versions
from bench.runtime.signals import status
from bench.training.callbacks import (
    Curves,
    Diverged,
    ImagesSeen,
    RandomState,
    Snapshot,
    Untimed,
    averaged_weights,
    callback,
)
from bench.training.checkpoints import Checkpoints, WholeFiles, newest_intact, remove_older, save
from bench.training.clusters import learn_clusters
from bench.training.launch import cluster
from bench.training.resume import Origin, announce, check_origin, take_up_threads
from datamodules.base import ImageDataModule
from models.base import LOG_EVERY, GenerativeModel

SECONDS_BETWEEN_CHECKPOINTS = 30
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # bench itself prints what runs where


class Interrupted(Exception):
    """A training stopped by a signal; the message says how to resume, `status` is the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status)
        self.message, self.status = message, status

    def __str__(self) -> str:
        return self.message


def train(
    config: Config, model: GenerativeModel, data: ImageDataModule, folder: Path, extra: Sequence[L.Callback] = ()
) -> records.Record:
    """Train and record a model, then delete the checkpoints for resuming; `extra` callbacks observe."""
    console.print(f"  [bold]{run_id(config)}[/]: {budget(config):,} images, {resolve_precision(config)}")
    for kind, plugin in config.plugins.items():
        console.print(f"  {kind}: {plugin.place}", markup=False)
    if checkpoint := newest_intact(checkpoints_of(folder)):
        take_up_threads(checkpoint)
    origin = Origin(config, data, resolve_precision(config))
    trainer = build_trainer(config, model, folder, [origin], extra)
    try:
        fit(config, model, data, trainer, folder)
    except Diverged as error:
        cause = str(error)
        ranks.on_first(lambda: give_up(config, model, trainer, cause, folder))
        raise
    record = new_record(config, model, data, trainer)
    ranks.on_first(lambda: keep(record, config, folder))
    return record


def fit(config: Config, model: GenerativeModel, data: ImageDataModule, trainer: L.Trainer, folder: Path) -> None:
    """Train to the end of the budget, from the newest intact checkpoint if there is one, and save the final weights."""
    resume = ranks.on_first(lambda: resumable(config, folder, callback(trainer, Origin)))
    if resume:
        ranks.on_first(lambda: announce(resume, callback(trainer, Origin), budget(config)))
    else:
        learn_clusters(model, data)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # hints for users of Lightning, not of bench
            trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
    except SystemExit as stop:  # what Lightning makes of a second Ctrl-C, and of signals before the first batch
        raise Interrupted(
            "stopped at once; the same command resumes from the last checkpoint", status(stop.__context__)
        ) from stop
    if trainer.should_stop or trainer.received_sigterm:
        number = signal.SIGTERM if trainer.received_sigterm else callback(trainer, Checkpoints).number
        raise Interrupted(
            f"stopped after {model.images_seen:,} of {budget(config):,} images; the same command resumes from there",
            128 + (number or signal.SIGINT),
        )
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise Diverged(
            f"the weights became NaN or infinite after {model.images_seen:,} images; "
            "a lower model.learning_rate may help"
        )
    save(trainer, weights_of(folder), weights_only=True)


def check_resumable(config: Config, data: ImageDataModule, folder: Path) -> None:
    """Raise ConfigError early if the training in `folder` was started on other images or in another precision."""
    resumable(config, folder, Origin(config, data, resolve_precision(config)))


def resumable(config: Config, folder: Path, origin: Origin) -> Path | None:
    """Return the newest intact checkpoint, if any; ConfigError if it is of other images or another precision."""
    checkpoint = newest_intact(checkpoints_of(folder))
    if checkpoint:
        check_origin(checkpoint, origin, config.data["name"])
    return checkpoint


def keep(record: records.Record, config: Config, folder: Path) -> None:
    """Record a completed training, and remove the checkpoints for resuming it."""
    records.clear_failure(Path(config.results), record.run_id)
    records.write(record, Path(config.results))
    remove_older(checkpoints_of(folder))


def give_up(config: Config, model: GenerativeModel, trainer: L.Trainer, cause: str, folder: Path) -> None:
    """Record why a training failed, and make the next one start anew: from its checkpoints it would fail again."""
    failure = records.Failure(
        run_id=run_id(config),
        config=config.model_dump(),
        code=callback(trainer, Origin).code,
        cause=cause,
        images_seen=model.images_seen,
        curves=callback(trainer, Curves).points,
    )
    records.write_failure(failure, Path(config.results))
    remove_older(checkpoints_of(folder))


def new_record(config: Config, model: GenerativeModel, data: ImageDataModule, trainer: L.Trainer) -> records.Record:
    """Return the record of a run at the end of its training."""
    callbacks: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    untimed = sum((callback.seconds for callback in callbacks if isinstance(callback, Untimed)), 0.0)
    return records.Record(
        run_id=run_id(config),
        family=model.family,
        config=config.model_dump(),
        code=callback(trainer, Origin).code,
        libraries=library_versions(),
        data_digest=data.digest("train"),
        hardware=hardware(trainer.strategy.root_device) | {"processes": trainer.world_size},
        precision=str(trainer.precision),
        images_seen=model.images_seen,
        train_seconds=round(callback(trainer, Timer).time_elapsed("train") - untimed, 1),
        curves=callback(trainer, Curves).points,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        sampling_parameters=sum(p.numel() for network in model.networks for p in network.parameters()),
    )


def build_trainer(
    config: Config,
    model: GenerativeModel,
    folder: Path,
    first: Sequence[L.Callback] = (),
    extra: Sequence[L.Callback] = (),
) -> L.Trainer:
    """Return Lightning's trainer with the suite's callbacks; one epoch is the whole budget.

    first: callbacks ahead of those that count images. extra: callbacks behind them, which see up-to-date curves.
    """
    settings = config.trainer
    if not torch.cuda.is_available():  # with Lightning's value, every optimizer step looks for a GPU driver
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    callbacks: list[L.Callback] = [RandomState(config.seed)]
    if model.ema_decay:
        callbacks.append(averaged_weights(model.ema_decay))
    if model.snapshot:
        callbacks.append(Snapshot(round(model.snapshot * budget(config))))
    curves = Curves()
    callbacks += [*first, curves, Timer(), ImagesSeen(f"train {config.model['name']}", budget(config), curves), *extra]
    return L.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        # buffers are equal on all ranks without broadcasts, see models.ranks; gradients are exchanged in place
        strategy=DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
        if settings.devices * settings.num_nodes > 1
        else "auto",
        precision=resolve_precision(config),  # type: ignore[arg-type]
        max_epochs=1,
        callbacks=[*callbacks, Checkpoints(checkpoints_of(folder), SECONDS_BETWEEN_CHECKPOINTS)],
        plugins=[WholeFiles(), *cluster()],
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=LOG_EVERY,
    )
