"""Decide which runs are the same, and which are alike but for their seed: two functions of one list of fields."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.config.components import version
from bench.config.schema import Config
from bench.results.records import Record

SECTIONS = ("model", "data", "train")  # sections of a configuration that determine the trained weights
PLACES = {"data": ("root",)}  # settings in them that name places, not contents
# Settings that models got after runs of them were recorded, with the value that those runs had. A run with this value
# is the recorded one: its run_id omits the setting.
LATER: dict[str, dict[str, Any]] = {
    "gan": {"loss": "non-saturating", "penalty": "r1", "condition": "none", "clusters": 200},
    "ddpm": {"snapshot": None, "optimizer": "adam", "condition": "none", "clusters": 200, "label_dropout": 0.1},
    "flow_matching": {"condition": "none", "clusters": 200, "label_dropout": 0.1},
    "vae": {"condition": "none", "clusters": 200},
    "vqvae": {"condition": "none", "clusters": 200},
}
LATER_DATA: dict[str, dict[str, Any]] = {"image_folder": {"classes": "none", "held_out": None}}  # likewise, of data


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the SECTIONS of a configuration without its PLACES, and with the later settings that it lacks.

    A configuration with classes of the user's own has a section "source", which tells their sources apart.
    """
    values = {
        section: {key: value for key, value in config.get(section, {}).items() if key not in PLACES.get(section, ())}
        for section in SECTIONS
    }
    plugins = {kind: plugin for kind, plugin in config.get("plugins", {}).items() if kind in SECTIONS}
    source = {"source": {kind: version(plugin) for kind, plugin in plugins.items()}} if plugins else {}
    completed = {section: {**later, **values[section]} for section, later in later_settings(values).items()}
    return values | source | completed


def later_settings(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings in LATER and LATER_DATA of the model and of the data set of a configuration, by section."""
    return {
        section: later.get(values[section].get("name", ""), {})
        for section, later in (("model", LATER), ("data", LATER_DATA))
    }


def run_id(config: Config) -> str:
    """Return model-data-seed-hash; the hash omits paths, devices, loggers, evaluation and samplers."""
    values = described(config.model_dump()) | {"preset": config.preset, "seed": config.seed}
    for section, later in later_settings(values).items():
        values[section] = {key: value for key, value in values[section].items() if (key, value) not in later.items()}
    values["trainer"] = {"precision": config.trainer.precision}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
    return f"{config.model['name']}-{config.data['name']}-{config.seed}-{digest}"


def alike(config: Mapping[str, Any]) -> str:
    """Return a key that is equal for configurations that differ in nothing but seed and precision."""
    return json.dumps(described(config), sort_keys=True)


def identity(record: Record) -> str:
    """Return a key that is equal for records that differ in nothing but the training seed; precision counts."""
    return json.dumps({**described(record.config), "precision": record.precision}, sort_keys=True)


def training_seed(record: Record) -> int | None:
    """Return the training seed; None for a record without training."""
    return record.config.get("seed")


def headline(record: Record) -> str | None:
    """Return the sampler that represents a run's model; "default" for one way to sample, None if none is named."""
    samplers = record.config.get("samplers") or {"default": {}}
    named = record.config.get("headline")
    return str(named) if named else next(iter(samplers)) if len(samplers) == 1 else None
