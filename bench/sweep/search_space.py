"""A sweep file, in W&B's own format, and the assignments of values to parameters that it asks for."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import PositiveInt

from bench.config.load import CONFIGS, names
from bench.config.schema import ConfigError, Section, check, check_name
from bench.sweep.distributions import Choice, Parameter, parameter

Assignment = dict[str, Any]  # first-level parameter -> value; of nested ones a dict, as W&B has it
Coordinates = dict[str, float]  # parameter, its levels joined by dots -> where in its range
RANDOM_DRAWS = 0  # keeps these seeds apart from those of bayes.py


EXAMPLES = {  # of the keys that every file has
    "method": "method: grid",
    "parameters": "parameters: {seed: {values: [0, 1, 2]}}",
    "command": "command: [bench, train, '${args_no_hyphens}']",
}


class Plain(yaml.SafeLoader):
    """YAML whose scalars are decimal numbers, true, false, null or text: 010, 1:30, 0x10, on and dates are texts."""


Plain.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?((0|[1-9][0-9_]*)\.[0-9_]*|\.[0-9]+)([eE][-+][0-9]+)?",
        "-+0123456789.",
    ),  # 1e-4 is a text, as for PyYAML
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


class Metric(Section):
    name: str
    goal: Literal["minimize", "maximize"] = "minimize"


class SweepFile(Section):
    """The keys that mean something here, and those that only W&B reads."""

    method: Literal["grid", "random", "bayes"]
    parameters: dict[str, Any]
    command: list[str | int | float]
    program: str = ""
    run_cap: PositiveInt | None = None  # None: all that the grid has
    metric: Metric | None = None
    name: str = ""
    description: str = ""
    project: str = ""
    entity: str = ""
    apiVersion: str = ""
    kind: Literal["sweep"] = "sweep"


def read(where: str) -> SweepFile:
    """A sweep file by its path, or by its name where it is one of configs/sweep/."""
    file = Path(where)
    if not file.is_file() and where in names("sweep"):
        file = Path(str(CONFIGS / "sweep" / f"{where}.yaml"))
    try:
        content = yaml.load(file.read_text(), Loader=Plain)
    except OSError as error:
        known = " or ".join(names("sweep"))
        raise ConfigError(f"{str(error.strerror).lower()}; give a sweep file, or {known} of configs/sweep/") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"no readable YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ConfigError("expected W&B's keys method, parameters and command")
    if "early_terminate" in content:
        raise ConfigError("early_terminate: leave it out; every run is judged at the end of its budget")
    for key in content:
        check_name("key", key, SweepFile.model_fields)
    for key, example in EXAMPLES.items():
        if key not in content:
            raise ConfigError(f"{key}: missing; add a line as {example}")
    asked: SweepFile = check(SweepFile, content, sign=": ")
    if asked.method != "grid" and asked.run_cap is None:
        raise ConfigError(f"run_cap: missing; method={asked.method} draws without end, so give it as run_cap: 20")
    if asked.method == "bayes" and asked.metric is None:
        raise ConfigError("metric: missing; method=bayes needs metric.name and metric.goal")
    return asked


def parameters(given: dict[str, Any], above: str = "") -> dict[str, Parameter]:
    """The parameters by their names, the levels of nested ones joined by dots; in the file's order."""
    found: dict[str, Parameter] = {}
    for name, value in given.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and isinstance(value.get("parameters"), dict):
            found |= parameters(value["parameters"], f"{key}.")
        else:
            found[key] = parameter(f"parameters.{key}", value)
    if not found:
        raise ConfigError(f"parameters.{above}: give at least one, as in seed: {{values: [0, 1, 2]}}")
    return found


def assign(given: dict[str, Any], values: dict[str, Any], above: str = "") -> Assignment:
    """Values by dotted name -> the tree that the file's parameters have."""
    return {
        name: assign(value["parameters"], values, f"{above}{name}.")
        if isinstance(value.get("parameters"), dict)
        else values[f"{above}{name}"]
        for name, value in given.items()
    }


def place(file: SweepFile, coordinates: Coordinates) -> Assignment:
    """The assignment at given coordinates."""
    known = parameters(file.parameters)
    return assign(file.parameters, {key: one.at(coordinates[key]) for key, one in known.items()})


def assignments(file: SweepFile) -> Iterator[Assignment]:
    """All that a grid or random file asks for: the last parameter of a grid changes first; draws repeat themselves."""
    known = parameters(file.parameters)
    if file.method == "random":
        for number in range(file.run_cap or 0):
            yield place(file, drawn(file, number))
        return
    levels = [grid_values(key, one) for key, one in known.items()]
    for values in itertools.islice(itertools.product(*levels), file.run_cap):
        yield assign(file.parameters, dict(zip(known, values, strict=True)))


def drawn(file: SweepFile, number: int) -> Coordinates:
    """Draw `number` of a random sweep, which depends on the file's parameters alone: a greater run_cap adds to it."""
    known = parameters(file.parameters)
    shares = np.random.default_rng(seed(file, RANDOM_DRAWS, number)).random(len(known))
    return {key: one.coordinate(float(u)) for (key, one), u in zip(known.items(), shares, strict=True)}


def seed(file: SweepFile, *numbers: int) -> np.random.SeedSequence:
    digest = hashlib.sha256(json.dumps(file.parameters, default=str).encode()).digest()
    return np.random.SeedSequence([int.from_bytes(digest[:8], "big"), *numbers])


def grid_values(key: str, one: Parameter) -> list[Any]:
    """What a grid runs through: what is listed, whole numbers, or steps of q from min up to below max."""
    if isinstance(one, Choice):
        return one.values
    if one.step is not None and one.interval is not None:
        return np.arange(one.interval.min, one.interval.max, one.step).tolist()
    raise ConfigError(f"parameters.{key}: method=grid needs values, whole min and max, or q_uniform")
