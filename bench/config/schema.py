"""The schema of a configuration: pydantic models for the sections, signatures for models, data and samplers."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, create_model

from bench.runtime.errors import InputError, suggestion

Seed = Annotated[int, Ge(0), Lt(2**32)]  # the seeds that torch, numpy and Lightning all take


class ConfigError(InputError):
    """A user's mistake in a configuration."""


class Section(BaseModel):
    """A part of the configuration: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class Train(Section):
    images: PositiveInt  # the budget: images seen over all ranks, rounded up to whole batches
    batch: PositiveInt  # over all ranks


class Trainer(Section):
    accelerator: Literal["auto", "cpu", "gpu", "mps"]
    devices: PositiveInt
    num_nodes: PositiveInt
    precision: Literal["auto", "32-true", "bf16-mixed"]


class Evaluation(Section):
    samples: Annotated[int, Ge(16)]
    seed: Seed
    chunk: PositiveInt
    extractor: str
    extractor_weights: str | None
    metrics: list[str] = []  # of the user's own, beside those of the suite
    timed_images: PositiveInt
    repeats: PositiveInt
    timed_only: list[str]


class Wandb(Section):
    mode: Literal["online", "offline", "disabled"]
    project: str
    group: str | None = None  # under which W&B shows the run; of a sweep, its name


class Plugin(Section):
    """Where a class or a function of the user's own is, and what it was: sha256 of its source files by their names.

    place: "module:Class", or an absolute "file.py:Class", which is no part of a run's identity.
    """

    place: str
    sources: dict[str, str]


class Config(Section):
    """One run, resolved and checked. `model` and `data` hold `name` and their constructor's arguments.

    plugins: "model", "data" and "extractor" where they are not the suite's own, "metric NAME" of each metric, and
    "sampler NAME" of each sampler that is a function. fitted: the settings, by their full keys, that the images decide
    when they are loaded, because the user has typed none (`bench.runs.fitting`); no record has it.
    """

    preset: str
    stamp: str
    seed: Seed
    results: str
    model: dict[str, Any]
    data: dict[str, Any]
    samplers: dict[str, dict[str, Any]] = {}
    headline: str | None = None  # the sampler that represents the model in the table; None: its only one
    train: Train
    trainer: Trainer
    evaluation: Evaluation
    wandb: Wandb
    plugins: dict[str, Plugin] = {}
    fitted: list[str] = Field(default=[], exclude=True)


def conditional(model: Mapping[str, Any]) -> bool:
    """Return whether the `model` section configures a model that is given labels: by its setting `condition`."""
    return model.get("condition", "none") not in ("none", "cluster")


def has_condition(model: Mapping[str, Any]) -> bool:
    """Return whether the `model` section configures a model whose networks are told labels, captions or clusters."""
    return model.get("condition", "none") != "none"


def captioned(model: Mapping[str, Any]) -> bool:
    """Return whether the `model` section configures a model that is given captions."""
    return model.get("condition") == "text"


def samplers(config: Config) -> dict[str, dict[str, Any]]:
    """Return the rows that a run fills: its samplers by name, or "default" for a model with one way to sample."""
    return config.samplers or {"default": {}}


def check_name(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return `name` if it is one of the choices; otherwise raise ConfigError with the choices and the nearest one."""
    choices = list(choices)
    if isinstance(name, str) and name in choices:
        return name
    message = f"{kind}={name}: unknown{suggestion(str(name), choices)}; choose from {', '.join(choices)}"
    raise ConfigError(message, key=kind, value=name, choices=choices)


def check(schema: type[BaseModel], values: dict[str, Any], prefix: str = "", sign: str = "=") -> Any:
    """Return an instance of `schema`, or raise a ConfigError about the first invalid entry of `values`.

    sign: the sign between key and value in the user's notation.
    """
    try:
        return schema(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = prefix + ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            keys = _keys_of_section(schema, first["loc"])
            hint = suggestion(str(first["loc"][-1]), keys)
            message = f"{key}: unknown key{hint}; known here: {', '.join(keys) or 'none'}"
            raise ConfigError(message, key=key, value=first["input"], choices=keys) from None
        if first["type"] == "missing":
            raise ConfigError(f"{key}: missing; set it as {key}{sign}VALUE", key=key) from None
        raise ConfigError(f"{key}={first['input']}: {first['msg'].lower()}", key=key, value=first["input"]) from None


def arguments(function: Callable[..., Any], supplied: Iterable[str] = ()) -> type[BaseModel]:
    """Return the keyword-only parameters of `function` as a schema, without those that the caller supplies."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in supplied
    }
    return create_model("Arguments", __base__=Section, **fields)


def _keys_of_section(schema: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the section that holds the unknown key at `location`."""
    for part in location[:-1]:
        annotation = schema.model_fields[str(part)].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        schema = annotation
    return list(schema.model_fields)
