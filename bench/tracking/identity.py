"""The identity of W&B runs, during a training or later from its record, and the mode in which they are sent."""

import os
from pathlib import Path
from typing import Any, cast

from bench.config.components import configured
from bench.config.schema import Config
from bench.results.identity import run_id
from bench.results.records import BASELINE_FAMILY, EXTERNAL_FAMILY, Record
from bench.runtime import ranks
from bench.tracking.session import Identity, Mode, Session

__all__ = ["Session", "identity", "mode", "open_session", "record_identity", "started_by_agent"]


def open_session(config: Config, folder: Path) -> Session:
    """Return the session of a configuration's W&B run, to be entered; only the first rank of a job sends."""
    return Session(identity(config), mode(config) if ranks.rank() == 0 else "disabled", folder)


def mode(config: Config) -> Mode:
    """Return the configured mode; a run started by `wandb agent` is online unless WANDB_MODE is set."""
    if not started_by_agent() or config.wandb.mode != "disabled":
        return config.wandb.mode
    mode_word = os.environ.get("WANDB_MODE", "online")
    return (
        cast(Mode, mode_word) if mode_word in ("online", "offline", "disabled") else "offline"
    )  # as wandb takes "dryrun"


def started_by_agent() -> bool:
    """Return whether `wandb agent` has started this process, for one run of its sweep."""
    return "WANDB_SWEEP_ID" in os.environ


def identity(config: Config) -> Identity:
    """Return the identity of a configuration's run: its run_id, so that resuming one resumes the other.

    A run of an agent's sweep has the id that the sweep gives it.
    """
    name = run_id(config)
    wandb_id = os.environ.get("WANDB_RUN_ID", name) if started_by_agent() else name
    family = configured("model", config).load().family
    tags = (family, config.data["name"], config.preset)
    settings = searchable_config(config.model_dump(), family)
    return Identity(wandb_id, name, config.wandb.project, settings, config.wandb.group, tags=tags)


def searchable_config(config: dict[str, Any], family: str) -> dict[str, Any]:
    """Return the resolved configuration, with plain keys by which W&B's pages group and filter runs."""
    return {**config, "family": family, "dataset": config["data"]["name"]}


def record_identity(record: Record, project: str, wandb_id: str | None = None) -> Identity:
    """Return the identity of a recorded run; baselines and external images have a job type of their own.

    wandb_id: its id, where an agent's sweep has given it another than the run_id.
    """
    return Identity(
        id=wandb_id or record.run_id,
        name=record.run_id,
        project=project,
        config=searchable_config(record.config, record.family),
        group=record.config.get("wandb", {}).get("group"),
        job_type="reference" if record.family in (BASELINE_FAMILY, EXTERNAL_FAMILY) else "train",
        tags=(record.family, record.config["data"]["name"], record.preset),
    )
