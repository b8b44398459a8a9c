"""Read a sweep file, in W&B's own format, and list the assignments of values to parameters that it defines."""

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
from bench.sweep.distributions import Choice, Parameter, parse_parameter

Assignment = dict[str, Any]  # first-level parameter -> value; of nested ones a dict, as W&B has it
Coordinates = dict[str, float]  # parameter, its levels joined by dots -> where in its range
RANDOM_DRAWS = 0  # keeps these seeds apart from those of optuna_search.py
EXAMPLES = {  # of the keys that every file has
    "method": "method: grid",
    "parameters": "parameters: {seed: {values: [0, 1, 2]}}",
    "command": "command: [bench, train, '${args_no_hyphens}']",
}


class PlainLoader(yaml.SafeLoader):
    """YAML whose scalars are decimal numbers, true, false, null or text: 010, 1:30, 0x10, on and dates are texts."""


PlainLoader.yaml_implicit_resolvers = {}
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
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


class Metric(Section):
    """The metric that a bayes sweep optimises."""

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"


class SweepFile(Section):
    """The keys that `bench sweep` reads, and those that only W&B reads."""

    method: Literal["grid", "random", "bayes"]
    parameters: dict[str, Any]
    command: list[str | int | float]
    program: str = ""
    run_cap: PositiveInt | None = None  # None: all cells of the grid
    metric: Metric | None = None
    name: str = ""
    description: str = ""
    project: str = ""
    entity: str = ""
    apiVersion: str = ""
    kind: Literal["sweep"] = "sweep"


def read(location: str) -> SweepFile:
    """Return a sweep file by its path, or by its name if it is one of configs/sweep/; raise ConfigError if invalid."""
    path = Path(location)
    if not path.is_file() and location in names("sweep"):
        path = Path(str(CONFIGS / "sweep" / f"{location}.yaml"))
    try:
        content = yaml.load(path.read_text(), Loader=PlainLoader)
    except OSError as error:
        choices = ", ".join(names("sweep"))
        raise ConfigError(
            f"{str(error.strerror).lower()}; name a sweep file, or one of configs/sweep/: {choices}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ConfigError("expected a mapping with W&B's keys method, parameters and command")
    if "early_terminate" in content:
        raise ConfigError(
            "early_terminate: not supported, because every run is evaluated at the end of its budget; leave it out"
        )
    for key in content:
        check_name("key", key, SweepFile.model_fields)
    for key, example in EXAMPLES.items():
        if key not in content:
            raise ConfigError(f"{key}: missing; add a line such as {example}")
    file: SweepFile = check(SweepFile, content, sign=": ")
    if file.method != "grid" and file.run_cap is None:
        raise ConfigError(
            f"run_cap: missing; method={file.method} draws without end, so limit the number of runs, "
            "for example run_cap: 20"
        )
    if file.method == "bayes" and file.metric is None:
        raise ConfigError("metric: missing; method=bayes needs metric.name and metric.goal")
    return file


def parse_parameters(entries: dict[str, Any], prefix: str = "") -> dict[str, Parameter]:
    """Return the parameters by name, the levels of nested ones joined by dots, in the file's order."""
    parameters: dict[str, Parameter] = {}
    for name, entry in entries.items():
        key = f"{prefix}{name}"
        if isinstance(entry, dict) and isinstance(entry.get("parameters"), dict):
            parameters |= parse_parameters(entry["parameters"], f"{key}.")
        else:
            parameters[key] = parse_parameter(f"parameters.{key}", entry)
    if not parameters:
        key = f"parameters.{prefix}".removesuffix(".")
        raise ConfigError(f"{key}: expected at least one parameter, such as seed: {{values: [0, 1, 2]}}")
    return parameters


def assign(entries: dict[str, Any], values: dict[str, Any], prefix: str = "") -> Assignment:
    """Return values by dotted name as a tree like that of the file's parameters."""
    return {
        name: assign(entry["parameters"], values, f"{prefix}{name}.")
        if isinstance(entry.get("parameters"), dict)
        else values[f"{prefix}{name}"]
        for name, entry in entries.items()
    }


def assignment_at(file: SweepFile, coordinates: Coordinates) -> Assignment:
    """Return the assignment at these coordinates."""
    parameters = parse_parameters(file.parameters)
    return assign(file.parameters, {key: parameter.at(coordinates[key]) for key, parameter in parameters.items()})


def assignments(file: SweepFile) -> Iterator[Assignment]:
    """Yield the assignments of a grid or random file, the same in every call.

    A grid's last parameter changes first.
    """
    parameters = parse_parameters(file.parameters)
    if file.method == "random":
        for number in range(file.run_cap or 0):
            yield assignment_at(file, draw(file, number))
        return
    levels = [grid_values(key, parameter) for key, parameter in parameters.items()]
    for values in itertools.islice(itertools.product(*levels), file.run_cap):
        yield assign(file.parameters, dict(zip(parameters, values, strict=True)))


def draw(file: SweepFile, number: int) -> Coordinates:
    """Return draw `number` of a random sweep, which depends on the file's parameters alone.

    So a greater run_cap adds draws and changes none.
    """
    parameters = parse_parameters(file.parameters)
    shares = np.random.default_rng(seed(file, RANDOM_DRAWS, number)).random(len(parameters))
    return {key: parameter.coordinate(float(u)) for (key, parameter), u in zip(parameters.items(), shares, strict=True)}


def seed(file: SweepFile, *numbers: int) -> np.random.SeedSequence:
    """Return the seed of draw `numbers` of a file, which depends on the file's parameters."""
    digest = hashlib.sha256(json.dumps(file.parameters, default=str).encode()).digest()
    return np.random.SeedSequence([int.from_bytes(digest[:8], "big"), *numbers])


def grid_values(key: str, parameter: Parameter) -> list[Any]:
    """Return the values of a parameter on a grid: those of the list, integers, or steps of q from min to below max."""
    if isinstance(parameter, Choice):
        return parameter.values
    if parameter.step is not None and parameter.interval is not None:
        return np.arange(parameter.interval.min, parameter.interval.max, parameter.step).tolist()
    raise ConfigError(f"parameters.{key}: method=grid needs a list of values, integer min and max, or q_uniform")
