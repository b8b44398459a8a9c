"""Load YAML files and key=value overrides into checked configurations."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel, create_model

from bench.config.overrides import overlay, tree
from bench.config.paths import check_results
from bench.config.schema import Config, ConfigError, arguments, check, check_name
from datamodules import DATAMODULES
from models import MODELS

CONFIGS = files("configs")
GROUPS = ("preset", "model", "data")  # model=vae picks configs/model/vae.yaml
DEFAULT_PRESET = "quick"


def names(group: str) -> list[str]:
    """List the files of a folder of configs/, without their suffix."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in (CONFIGS / group).iterdir() if entry.name.endswith(".yaml")
    )


def load(overrides: Sequence[str]) -> list[Config]:
    """Return one Config for `model=NAME`, or one for each model of the preset if no model is named.

    Later layers win: default.yaml, model, data, preset, the preset's lines for this model, the data's lines for this
    model, overrides. Data with such lines (points need other networks than images) have them for every model that can
    be trained on them.
    """
    picks, words = groups(overrides)
    preset_name = check_name("preset", picks.get("preset", DEFAULT_PRESET), names("preset"))
    preset = read("preset", preset_name)
    preset.pop("about")
    by_model = preset.pop("models")
    data_name = check_name("data", picks.get("data", preset.pop("data")), DATAMODULES)
    for_data = read("data", data_name).get("models", {})
    trainable = for_data or MODELS
    if "model" in picks:
        chosen = [check_name("model", picks["model"], MODELS)]
        if chosen[0] not in trainable:
            raise ConfigError(
                f"model={chosen[0]}: has no network for data={data_name}; choose from {', '.join(trainable)}"
            )
    else:
        chosen = [model for model in by_model if model in trainable]
    configs = []
    for model in chosen:
        typed = tree(words, settings(model, data_name))
        layers = [preset, by_model.get(model) or {}, for_data.get(model, {}), typed]
        configs.append(judged_where_named(resolve(preset_name, model, data_name, layers), typed))
    return configs


def judged_where_named(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Return the configuration with every sampler that the overrides name evaluated, unless they set timed_only."""
    if "timed_only" in overrides.get("evaluation", {}):
        return config
    rest = [name for name in config.evaluation.timed_only if name not in overrides.get("samplers", ())]
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"timed_only": rest})})


def resolve(preset: str, model: str, data: str, layers: list[dict[str, Any]]) -> Config:
    """Merge the layers for one model and check every section against its schema."""
    values: dict[str, Any] = {"preset": preset, "model": {"name": model}, "data": {"name": data}}
    for layer in [read("", "default"), read("model", model), read("data", data), *layers]:
        values = merge(values, {key: value for key, value in layer.items() if key != "models"})
    for section in ("model", "data"):
        values[section] = {key: value for key, value in values[section].items() if value != "???"}
    config: Config = check(Config, values)
    check_parts(config)
    check_headline(config)
    return config


def merge(values: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Return `values` overridden by `layer`; samplers.NAME.key=value adds to the samplers of `values`.

    A list of samplers replaces them and their headline sampler.
    """
    layer = dict(layer)
    for section in ("model", "data", "train", "trainer", "evaluation", "wandb"):
        if section in layer and not isinstance(layer[section], dict):
            raise ConfigError(
                f"{section}={layer[section]}: a section, not a value; set its keys as {section}.KEY=VALUE"
            )
    if isinstance(names_given := layer.get("samplers"), list):
        layer["samplers"] = {
            name: read("sampler", check_name("samplers", name, names("sampler"))) for name in names_given
        }
        values = {key: value for key, value in values.items() if key not in ("samplers", "headline")}
    return overlay(values, layer)


def check_parts(config: Config) -> None:
    """Check what the sections' types leave open: arguments of constructors and samplers, and names that must agree."""
    from datamodules.base import RUNNER_ARGUMENTS  # imports torch, which commands that only read do without

    model_class, data_class = MODELS[config.model["name"]], DATAMODULES[config.data["name"]]
    check(arguments(model_class.__init__), without_name(config.model), "model.")
    check(arguments(data_class.__init__, supplied=RUNNER_ARGUMENTS), without_name(config.data), "data.")
    for name, settings in config.samplers.items():
        check(arguments(model_class.sample), settings, f"samplers.{name}.")
    for name in config.evaluation.timed_only:
        check_name("evaluation.timed_only", name, sorted({*config.samplers, *names("sampler")}))
    ranks = config.trainer.devices * config.trainer.num_nodes
    if config.train.batch % ranks:
        raise ConfigError(f"train.batch={config.train.batch}: cannot be divided among {ranks} processes")


def check_headline(config: Config) -> None:
    """Refuse a headline sampler that is missing, unknown or never evaluated."""
    sampler, choices = config.headline, ", ".join(config.samplers)
    if sampler is None and len(config.samplers) > 1:
        raise ConfigError(f"headline: missing; name the sampler that represents the model in the table: {choices}")
    if sampler is not None and not config.samplers:
        raise ConfigError(f"headline={sampler}: model={config.model['name']} has one way to sample; leave it out")
    if sampler is not None:
        check_name("headline", sampler, config.samplers)
    if sampler in config.evaluation.timed_only:
        raise ConfigError(
            f"headline={sampler}: is in evaluation.timed_only, so the model would have no figure of quality; "
            f"choose from {choices}"
        )


def without_name(section: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments of a `model` or `data` section."""
    return {key: value for key, value in section.items() if key != "name"}


def read(group: str, name: str) -> dict[str, Any]:
    """Read a file of configs/ as a plain dict."""
    text = (CONFIGS / group / f"{name}.yaml").read_text()
    content = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(content, dict)
    return content  # type: ignore[return-value]


def groups(overrides: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Separate `key=value` words into the groups (model, data, preset) and the words of all other keys."""
    for word in overrides:
        if "=" not in word or word.startswith("="):
            raise ConfigError(f"{word}: expected key=value, as in model=vae or train.images=100000")
        if word.startswith(("model.name=", "data.name=")):
            raise ConfigError(f"{word}: picked by {word.split('.')[0]}=NAME alone")
    picks = {key: value for key, value in (word.split("=", 1) for word in overrides) if key in GROUPS}
    return picks, [word for word in overrides if word.split("=", 1)[0] not in GROUPS]


def split(
    overrides: Sequence[str], model: str | None = None, data: str | None = None
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the groups and a tree of all other keys, typed by the named model and data."""
    picks, words = groups(overrides)
    return picks, tree(words, settings(model, data))


def settings(model: str | None, data: str | None) -> type[BaseModel]:
    """Return Config with the arguments of a model, its samplers and data in place of untyped dicts."""
    sections: dict[str, Any] = {}
    if model is not None and model in MODELS:
        sections["model"] = (arguments(MODELS[model].__init__), ...)
        sections["samplers"] = (list[str] | dict[str, arguments(MODELS[model].sample)], ...)  # type: ignore[misc]
    if data is not None and data in DATAMODULES:
        from datamodules.base import RUNNER_ARGUMENTS

        sections["data"] = (arguments(DATAMODULES[data].__init__, supplied=RUNNER_ARGUMENTS), ...)
    return create_model("Settings", __base__=Config, **sections)


def results_folder(overrides: Sequence[str]) -> Path:
    """Return the folder that `results=DIR` names among the words, or the default."""
    words = [word for word in overrides if word.startswith("results=")]
    return check_results(Path(tree(words, Config).get("results", read("", "default")["results"])))


def results_of(command: str, overrides: Sequence[str]) -> Path:
    """Return the folder that `results=DIR` names; refuse other settings, which a command that only reads lacks."""
    picks, rest = split(overrides)
    if wrong := [key for key in [*picks, *rest] if key != "results"]:
        raise ConfigError(f"{wrong[0]}: `bench {command}` takes results=DIR only")
    return results_folder(overrides)
