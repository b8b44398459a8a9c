"""Curves, pictures, figures, tables and artifacts, to W&B; while a run is made, or later from its record."""

import os
from pathlib import Path
from typing import Any, cast

from bench.config.schema import Config
from bench.results.identity import run_id
from bench.results.records import FLOOR, OUTSIDE, Record
from bench.runtime import ranks
from bench.tracking.session import Identity, Mode, Session
from models import MODELS

__all__ = ["Session", "by_agent", "identity", "mode", "of_record", "open_session"]


def open_session(config: Config, folder: Path) -> Session:
    """The W&B run of a configuration, to be entered; of a job's ranks the first one tells it."""
    return Session(identity(config), mode(config) if ranks.rank() == 0 else "disabled", folder)


def mode(config: Config) -> Mode:
    """The configured mode; a run that `wandb agent` has started is online unless it says otherwise."""
    if not by_agent() or config.wandb.mode != "disabled":
        return config.wandb.mode
    asked = os.environ.get("WANDB_MODE", "online")
    return cast(Mode, asked) if asked in ("online", "offline", "disabled") else "offline"  # as wandb takes "dryrun"


def by_agent() -> bool:
    """Whether `wandb agent` has started this process, for one run of its sweep."""
    return "WANDB_SWEEP_ID" in os.environ


def identity(config: Config) -> Identity:
    """A run_id is the W&B run's, so that going on with one goes on with the other; an agent's sweep gives its own."""
    name = run_id(config)
    chosen = os.environ.get("WANDB_RUN_ID", name) if by_agent() else name
    family = MODELS[config.model["name"]].family
    tags = (family, config.data["name"], config.preset)
    settings = shown(config.model_dump(), family)
    return Identity(chosen, name, config.wandb.project, settings, config.wandb.group, tags=tags)


def shown(config: dict[str, Any], family: str) -> dict[str, Any]:
    """The resolved configuration, and beside it by plain names what W&B's pages group and choose runs by."""
    return {**config, "family": family, "dataset": config["data"]["name"]}


def of_record(record: Record, project: str, known_as: str | None = None) -> Identity:
    """The identity of a run that is known by its record alone; references are W&B runs of a job type of their own.

    known_as: its id, where an agent's sweep has given it another than the run_id.
    """
    return Identity(
        id=known_as or record.run_id,
        name=record.run_id,
        project=project,
        config=shown(record.config, record.family),
        group=record.config.get("wandb", {}).get("group"),
        job_type="reference" if record.family in (FLOOR, OUTSIDE) else "train",
        tags=(record.family, record.config["data"]["name"], record.preset),
    )
