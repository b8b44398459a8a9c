"""Load YAML files and key=value overrides into checked configurations."""

import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel, create_model
from yaml import YAMLError

from bench.config.components import NAME, Component, configured, find, installed, plugin
from bench.config.fitted import settings_of_size, untyped
from bench.config.overrides import overlay, parse_overrides
from bench.config.paths import check_results, expand
from bench.config.places import names_a_file
from bench.config.plugins import register, with_plugins
from bench.config.schema import Config, ConfigError, arguments, check, check_name

CONFIGS = files("configs")
GROUPS = ("preset", "model", "data")  # model=vae picks configs/model/vae.yaml
DEFAULT_PRESET = "quick"
GUIDED = re.compile(r"(.+)-w(\d+(?:\.\d+)?)")  # a sampler's name with its guidance by labels


def names(group: str) -> list[str]:
    """Return the names of the YAML files in a folder of configs/, without their suffix."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in (CONFIGS / group).iterdir() if entry.name.endswith(".yaml")
    )


def load(overrides: Sequence[str]) -> list[Config]:
    """Return one Config for `model=NAME`, or one for each model of the preset if no model is named.

    Later layers win: default.yaml, the preset's settings for models of the user's own, model, data, preset, the
    preset's settings for this model, the data's settings for this model, overrides. Data with settings for models
    (points need other networks than images) have them for every model of the suite that can be trained on them.
    """
    picks, words = split_groups(overrides)
    preset_name = check_name("preset", picks.get("preset", DEFAULT_PRESET), names("preset"))
    preset = read("preset", preset_name)
    preset.pop("about")
    preset_models, preset_plugins = preset.pop("models"), preset.pop("plugins")
    data = find("data", picks.get("data", preset.pop("data")))
    data_models = defaults(data).get("models", {})
    if "model" in picks:
        models = [check_trainable(find("model", picks["model"]), data, data_models)]
    else:
        models = [find("model", model) for model in preset_models if model in (data_models or preset_models)]
    configs = []
    for model in models:
        changes = parse_overrides(words, settings(model, data))
        layers = [
            read("", "default"), preset_plugins if model.place else {}, defaults(model), defaults(data), preset,
            preset_models.get(model.name) or {}, data_models.get(model.name, {}), changes,
        ]  # fmt: skip
        layers.append(settings_of_size(layers))
        layers.append(untyped(layers, changes))
        configs.append(evaluate_named_samplers(resolve(preset_name, model, data, layers), changes))
    return configs


def check_trainable(model: Component, data: Component, trainable: Collection[str]) -> Component:
    """Return the model; raise ConfigError if it is the suite's own and data with settings for models have none for it.

    trainable: the names of the models with such settings; empty: any model.
    """
    if model.place is None and trainable and model.name not in trainable:
        message = f"model={model.name}: has no network for data={data.name}; choose from {', '.join(trainable)}"
        raise ConfigError(message, key="model", value=model.name, choices=trainable)
    return model


def defaults(component: Component) -> dict[str, Any]:
    """Return the content of a component's YAML: in configs/, or of NAME.yaml beside a user's file, if there is one."""
    if component.place is None:
        return read(component.kind, component.name)
    file = component.place.file.with_name(f"{component.name}.yaml")
    try:
        return beside(file, parse_yaml(file.read_text())) if file.is_file() else {}
    except (OSError, ValueError, YAMLError) as error:
        raise ConfigError(f"{file}: not readable as settings ({' '.join(str(error).split())})") from None


def beside(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a user's YAML, its relative places of functions and samplers beginning at its folder."""

    def absolute(text: Any) -> Any:
        if isinstance(text, list):
            return [*map(absolute, text)]
        head = text.rpartition(":")[0] or text if isinstance(text, str) else ""
        return str(file.parent / text) if names_a_file(head) and head[0] not in "~$" else text

    changed = {"samplers": absolute(values["samplers"])} if "samplers" in values else {}
    if isinstance(evaluation := values.get("evaluation"), dict):
        places = {key: absolute(value) for key, value in evaluation.items() if key in ("extractor", "metrics")}
        changed["evaluation"] = evaluation | places
    return values | changed


def evaluate_named_samplers(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Return the configuration without the samplers in timed_only that the overrides name, unless these set it."""
    if "timed_only" in overrides.get("evaluation", {}):
        return config
    timed_only = [name for name in config.evaluation.timed_only if name not in overrides.get("samplers", ())]
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"timed_only": timed_only})})


def resolve(preset: str, model: Component, data: Component, layers: list[dict[str, Any]]) -> Config:
    """Merge the layers for one model and check every section against its schema."""
    values: dict[str, Any] = {"preset": preset, "model": {"name": model.name}, "data": {"name": data.name}}
    values["plugins"] = plugin(model) | plugin(data)
    for layer in layers:
        values = merge(values, {key: value for key, value in layer.items() if key != "models"})
    values = with_plugins(values)
    for section in ("model", "data"):
        values[section] = {key: value for key, value in values[section].items() if value != "???"}
    config: Config = check(Config, values)
    check_parts(config)
    check_headline(config)
    return config


def merge(values: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Return `values` overridden by `layer`; samplers.NAME.key=value adds to the samplers of `values`.

    A list of samplers replaces them and their headline sampler. The user's own among them are added to `plugins`.
    """
    layer = dict(layer)
    for section in ("model", "data", "train", "trainer", "evaluation", "wandb"):
        if section in layer and not isinstance(layer[section], dict):
            message = f"{section}={layer[section]}: a section, not a value; set its keys as {section}.KEY=VALUE"
            raise ConfigError(message, key=section, value=layer[section])
    if isinstance(sampler_names := layer.get("samplers"), list):
        sampler_names = [*map(str, sampler_names)]
        layer["samplers"] = {row_name(name): sampler(name, "samplers") for name in sampler_names}
        values = {key: value for key, value in values.items() if key not in ("samplers", "headline")}
        values["plugins"] = values.get("plugins", {}) | plugins_of(sampler_names)
    return overlay(values, layer)


def sampler(name: object, key: str) -> dict[str, Any]:
    """Return the settings of KIND or KIND-STEPS, guided by -wW at the end.

    sampler/KIND.yaml is a file, or KIND is the user's own, see `is_own_sampler`. W is `label_guidance`:
    sde-dpm-solver-20-w1.5. key: of the setting that names the sampler, for the ConfigError if there is none.
    """
    kinds = names("sampler")
    if match := GUIDED.fullmatch(str(name)):
        return sampler(match[1], key) | {"label_guidance": float(match[2])}
    kind, _, steps = str(name).rpartition("-")
    if is_own_sampler(own := kind_of(str(name))):
        return own_sampler(own, key) | ({"steps": int(steps)} if kind == own else {})
    if name in kinds:
        return read("sampler", str(name))
    if kind not in kinds or not steps.isdecimal():
        check_name(key, name, [f"{known}-STEPS" for known in kinds])
    return {**read("sampler", kind), "steps": int(steps)}


def is_own_sampler(kind: str) -> bool:
    """Return whether a kind of sampler is a YAML file or a function of the user's, by its place or an entry's name."""
    if kind in names("sampler"):
        return False
    return kind.endswith(".yaml") or ":" in kind or names_a_file(kind) or kind in [e.name for e in installed("sampler")]


def kind_of(name: str) -> str:
    """Return a sampler's name without its steps and its guidance."""
    unguided = match[1] if (match := GUIDED.fullmatch(name)) else name
    kind, _, steps = unguided.rpartition("-")
    return kind if kind and steps.isdecimal() else unguided


def row_name(name: str) -> str:
    """Return the name of a sampler in tables: of the user's own, that of its file or function, with its steps."""
    kind = kind_of(name)
    if not is_own_sampler(kind):
        return name
    own = Path(kind).stem if kind.endswith(".yaml") else find("sampler", kind).name
    problem = "which is a name of the suite's own" if own in names("sampler") else ""
    problem = problem if NAME.fullmatch(own) else "which takes letters A to Z, digits, dashes and underscores"
    if problem:
        message = f"samplers={name}: would be {own} in tables, {problem}; rename it"
        raise ConfigError(message, key="samplers", value=name)
    return own + name.removeprefix(kind)


def own_sampler(kind: str, key: str) -> dict[str, Any]:
    """Return the settings of a user's sampler: the content of its YAML, or the key of its function."""
    if not kind.endswith(".yaml"):
        return {"function": register(find("sampler", kind))}
    file = Path(expand(key, kind))
    try:
        return parse_yaml(file.read_text())
    except (OSError, ValueError, YAMLError) as error:
        problem = f"not readable as settings ({' '.join(str(error).split())})"
        raise ConfigError(f"{key}={kind}: {problem}", key=key, value=kind) from None


def plugins_of(samplers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the entries of `plugins` of the samplers that are functions of the user's."""
    kinds = [kind for kind in dict.fromkeys(map(kind_of, samplers)) if is_own_sampler(kind)]
    components = [find("sampler", kind) for kind in kinds if not kind.endswith(".yaml")]
    return {key: place for component in components for key, place in plugin(component).items()}


def check_parts(config: Config) -> None:
    """Check arguments of constructors and samplers, and what one section requires of another."""
    from datamodules.base import RUNNER_ARGUMENTS  # imports torch, which commands that only read must not

    model_class, data_class = configured("model", config).load(), configured("data", config).load()
    check(arguments(model_class.__init__), without_name(config.model), "model.")
    check(arguments(data_class.__init__, supplied=RUNNER_ARGUMENTS), without_name(config.data), "data.")
    for name, settings in config.samplers.items():
        schema = arguments(model_class.sample)
        if "function" in settings and "function" not in schema.model_fields:
            message = f"samplers.{name}: model={config.model['name']} draws by no function of yours; model=ddpm does"
            raise ConfigError(message, key=f"samplers.{name}", value=settings["function"])
        check(schema, settings, f"samplers.{name}.")
    for name in config.evaluation.timed_only:
        if name not in config.samplers:
            sampler(name, "evaluation.timed_only")
    ranks = config.trainer.devices * config.trainer.num_nodes
    if config.train.batch % ranks:
        message = f"train.batch={config.train.batch}: cannot be divided among {ranks} processes"
        raise ConfigError(message, key="train.batch", value=config.train.batch)


def check_headline(config: Config) -> None:
    """Refuse a headline sampler that is missing, unknown or never evaluated."""
    sampler, choices = config.headline, ", ".join(config.samplers)
    if sampler is None and len(config.samplers) > 1:
        message = f"headline: missing; name the sampler that represents the model in the table: {choices}"
        raise ConfigError(message, key="headline", choices=config.samplers)
    if sampler is not None and not config.samplers:
        message = f"headline={sampler}: model={config.model['name']} has one way to sample; leave it out"
        raise ConfigError(message, key="headline", value=sampler)
    if sampler is not None:
        check_name("headline", sampler, config.samplers)
    if sampler in config.evaluation.timed_only:
        raise ConfigError(
            f"headline={sampler}: is in evaluation.timed_only, so the model would have no figure of quality; "
            f"choose from {choices}",
            key="headline", value=sampler, choices=config.samplers,
        )  # fmt: skip


def without_name(section: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments of a `model` or `data` section."""
    return {key: value for key, value in section.items() if key != "name"}


def read(group: str, name: str) -> dict[str, Any]:
    """Return the content of a file of configs/ as a plain dict."""
    return parse_yaml((CONFIGS / group / f"{name}.yaml").read_text())


def parse_yaml(text: str) -> dict[str, Any]:
    """Return a YAML mapping as a plain dict; ValueError for anything else."""
    content = OmegaConf.to_container(OmegaConf.create(text))
    if not isinstance(content, dict):
        raise ValueError("expected keys and values")
    return content  # type: ignore[return-value]


def split_groups(overrides: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the names that are picked by group (model, data, preset), and the words of all other keys."""
    for word in overrides:
        if "=" not in word or word.startswith("="):
            raise ConfigError(f"{word}: expected key=value, as in model=vae or train.images=100000")
        if word.startswith(("model.name=", "data.name=")):
            raise ConfigError(f"{word}: cannot be set; write {word.split('.')[0]}=NAME")
        if word.startswith(("plugins=", "plugins.")):
            raise ConfigError(f"{word}: cannot be set; write model=PLACE or data=PLACE")
        if word.startswith("fitted"):
            raise ConfigError(f"{word}: cannot be set; type the setting itself, as in evaluation.samples=500")
    picks = {key: value for key, value in (word.split("=", 1) for word in overrides) if key in GROUPS}
    return picks, [word for word in overrides if word.split("=", 1)[0] not in GROUPS]


def split(
    overrides: Sequence[str], model: Component | None = None, data: Component | None = None
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the names that are picked by group, and all other keys as nested dicts, typed by the model and data."""
    picks, words = split_groups(overrides)
    return picks, parse_overrides(words, settings(model, data))


def settings(model: Component | None, data: Component | None) -> type[BaseModel]:
    """Return the schema Config with the arguments of a model, its samplers and data in place of untyped dicts."""
    sections: dict[str, Any] = {}
    if model is not None:
        model_class = model.load()
        sections["model"] = (arguments(model_class.__init__), ...)
        sections["samplers"] = (list[str] | dict[str, arguments(model_class.sample)], ...)  # type: ignore[misc]
    if data is not None:
        from datamodules.base import RUNNER_ARGUMENTS

        sections["data"] = (arguments(data.load().__init__, supplied=RUNNER_ARGUMENTS), ...)
    return create_model("Settings", __base__=Config, **sections)


def results_folder(overrides: Sequence[str]) -> Path:
    """Return the folder that `results=DIR` among the words names, or the default."""
    words = [word for word in overrides if word.startswith("results=")]
    return check_results(Path(parse_overrides(words, Config).get("results", read("", "default")["results"])))


def results_of(command: str, overrides: Sequence[str]) -> Path:
    """Return the folder that `results=DIR` names; refuse all other settings, which have no effect on `command`."""
    picks, settings_by_key = split(overrides)
    if others := [key for key in [*picks, *settings_by_key] if key != "results"]:
        raise ConfigError(f"{others[0]}: `bench {command}` takes results=DIR only", key=others[0], choices=["results"])
    return results_folder(overrides)
