"""What makes two runs the same, and what makes them alike but for their seed: two functions of one list of fields."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.config.schema import Config
from bench.results.records import Record

SECTIONS = ("model", "data", "train")  # of a configuration: what decides which weights a training makes
PLACES = {"data": ("root",)}  # settings of these that say where something lies, not what it is


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """The SECTIONS of a configuration, without its PLACES."""
    return {
        section: {key: value for key, value in config.get(section, {}).items() if key not in PLACES.get(section, ())}
        for section in SECTIONS
    }


def run_id(config: Config) -> str:
    """model-data-seed-hash; the hash leaves out paths, devices, loggers, evaluation and how samples are drawn."""
    values = described(config.model_dump()) | {"preset": config.preset, "seed": config.seed}
    values["trainer"] = {"precision": config.trainer.precision}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
    return f"{config.model['name']}-{config.data['name']}-{config.seed}-{digest}"


def alike(config: Mapping[str, Any]) -> str:
    """Equal for configurations that train the same but for their seed and their precision."""
    return json.dumps(described(config), sort_keys=True)


def identity(record: Record) -> str:
    """Equal for records that are alike but for their training seed, down to the precision that they trained in."""
    return json.dumps({**described(record.config), "precision": record.precision}, sort_keys=True)


def training_seed(record: Record) -> int | None:
    """None of what was not trained."""
    return record.config.get("seed")


def headline(record: Record) -> str | None:
    """The sampler that speaks for a run's model, "default" where there is one way to sample; None if none is named."""
    samplers = record.config.get("samplers") or {"default": {}}
    named = record.config.get("headline")
    return str(named) if named else next(iter(samplers)) if len(samplers) == 1 else None
