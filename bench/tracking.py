"""Curves, pictures and final figures, to W&B."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from bench.config import run_id
from bench.pictures import log_to_wandb
from bench.records import Record
from bench.schema import Config
from bench.summary import summary


def mode(config: Config) -> str:
    """The configured mode; a run that `wandb agent` has started is online unless it says otherwise."""
    by_agent = "WANDB_SWEEP_ID" in os.environ and config.wandb.mode == "disabled"
    return os.environ.get("WANDB_MODE", "online") if by_agent else config.wandb.mode


def identity(config: Config) -> dict[str, Any]:
    """What `wandb.init` finds the run by: its run_id, or the id that an agent's sweep has given to it."""
    name = run_id(config)
    chosen = os.environ.get("WANDB_RUN_ID", name) if "WANDB_SWEEP_ID" in os.environ else name
    return {"project": config.wandb.project, "id": chosen, "name": name, "resume": "allow"}


def build_loggers(config: Config, folder: Path) -> list[Logger]:
    """W&B's, unless that is disabled; the curves are in the record anyway."""
    if mode(config) == "disabled":
        return []
    from lightning.pytorch.loggers import WandbLogger

    os.environ["WANDB_MODE"] = mode(config)
    wandb = WandbLogger(**identity(config), save_dir=folder, config=config.model_dump())
    wandb.experiment.define_metric("*", step_metric="images_seen")
    return [wandb]


def track(record: Record, config: Config, folder: Path) -> None:
    """Put pictures and the final figures into the run's W&B run, unless W&B is disabled; goes on with the training's.

    The figures are in the summary, under the keys that a sweep's `metric` names.
    """
    if mode(config) == "disabled":
        return
    import wandb

    run = wandb.init(**identity(config), dir=folder, mode=mode(config))  # type: ignore[arg-type]
    drawn = Path(config.results) / "pictures" / record.run_id
    log_to_wandb({file.stem: file for file in sorted(drawn.glob("*.png"))}, run)
    run.summary.update(summary(record))
    run.finish()
