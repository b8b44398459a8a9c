"""Curves and pictures, to CSV and to W&B."""

import os
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger

from bench.config import run_id
from bench.pictures import log_to_wandb
from bench.schema import Config


def build_loggers(config: Config, folder: Path) -> list[Logger]:
    """Curves as CSV in the run folder, and in W&B unless that is disabled."""
    loggers: list[Logger] = [CSVLogger(folder, name="", version="curves")]
    if config.wandb.mode != "disabled":
        from lightning.pytorch.loggers import WandbLogger

        os.environ["WANDB_MODE"] = config.wandb.mode
        name = run_id(config)
        wandb = WandbLogger(project=config.wandb.project, id=name, name=name, save_dir=folder, resume="allow",
                            config=config.model_dump())  # fmt: skip
        wandb.experiment.define_metric("*", step_metric="images_seen")
        loggers.append(wandb)
    return loggers


def track_pictures(pictures: dict[str, Path], config: Config, folder: Path) -> None:
    """Add a run's pictures to its W&B run, unless W&B is disabled; the run that training opened is gone on with."""
    if config.wandb.mode == "disabled" or not pictures:
        return
    import wandb

    name = run_id(config)
    run = wandb.init(
        project=config.wandb.project, id=name, name=name, dir=folder, resume="allow", mode=config.wandb.mode
    )
    log_to_wandb(pictures, run)
    run.finish()
