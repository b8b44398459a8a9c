"""The distributions of a sweep's parameters, as W&B defines them, each by its quantiles.

https://docs.wandb.ai/models/sweeps/sweep-config-keys. The engine that W&B publishes (package `sweeps`) wants numpy
below 2, so it cannot be installed beside the suite.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any

from annotated_types import Ge, Gt, MinLen
from pydantic import PositiveFloat
from scipy import stats

from bench.config.schema import ConfigError, Section, check, check_name


class Constant(Section):
    value: Any
    distribution: str = "constant"


class ValueList(Section):
    values: Annotated[list[Any], MinLen(1)]
    probabilities: list[Annotated[float, Ge(0)]] | None = None  # None: equal ones
    distribution: str = "categorical"


class Integers(Section):
    min: int
    max: int
    distribution: str = "int_uniform"


class Interval(Section):
    min: float
    max: float
    distribution: str = "uniform"


class PositiveInterval(Interval):
    min: PositiveFloat


class Gaussian(Section):
    mu: float = 0.0
    sigma: Annotated[float, Gt(0)] = 1.0
    distribution: str


class Beta(Section):
    a: PositiveFloat = 1.0
    b: PositiveFloat = 1.0
    distribution: str


CONTINUOUS: dict[str, tuple[type[Section], Callable[[Any], Any]]] = {
    "uniform": (Interval, lambda s: stats.uniform(s.min, s.max - s.min)),
    "log_uniform": (Interval, lambda s: stats.loguniform(math.exp(s.min), math.exp(s.max))),
    "log_uniform_values": (PositiveInterval, lambda s: stats.loguniform(s.min, s.max)),
    # X with log(1/X) uniform between the bounds; between the bounds' own log(1/x) for the second
    "inv_log_uniform": (Interval, lambda s: stats.loguniform(math.exp(-s.max), math.exp(-s.min))),
    "inv_log_uniform_values": (PositiveInterval, lambda s: stats.loguniform(s.min, s.max)),
    "normal": (Gaussian, lambda s: stats.norm(s.mu, s.sigma)),
    "log_normal": (Gaussian, lambda s: stats.lognorm(s.sigma, scale=math.exp(s.mu))),
    "beta": (Beta, lambda s: stats.beta(s.a, s.b)),
}
QUANTISED = {f"q_{name}": name for name in CONTINUOUS if not name.startswith("inv_")}
DISCRETE: dict[str, type[Section]] = {
    "constant": Constant, "categorical": ValueList, "categorical_w_probabilities": ValueList, "int_uniform": Integers,
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One of several values; a coordinate is the index of a value."""

    values: list[Any]
    probabilities: list[float]

    def coordinate(self, u: float) -> int:
        """Return the index of the value whose share of [0, 1) holds `u`."""
        return min(bisect_right(list(accumulate(self.probabilities)), u), len(self.values) - 1)

    def at(self, coordinate: float) -> Any:
        """Return the value of an index."""
        return self.values[int(coordinate)]


@dataclass(frozen=True)
class Range:
    """A number; a coordinate in (0, 1) is the share of the draws that lie below it."""

    quantile: Callable[[float], float]
    step: float | None  # what the number is a multiple of; None: of nothing
    interval: Interval | None  # the bounds, where there are any

    def coordinate(self, u: float) -> float:
        """Return `u`, which is the coordinate itself."""
        return u

    def at(self, coordinate: float) -> float:
        """Return the quantile of a share, rounded to a multiple of `step`."""
        value = float(self.quantile(coordinate))
        return value if self.step is None else round(value / self.step) * self.step


Parameter = Choice | Range


def parse_parameter(key: str, entry: Any) -> Parameter:
    """Return the parameter of a sweep file's entry under `key`; raise ConfigError if it is invalid."""
    if not isinstance(entry, dict):
        raise ConfigError(f"{key}={entry}: not a parameter; write value: X, values: [X, Y], or min: and max:")
    name = entry.get("distribution", default_distribution(entry))
    kind = check_name(f"{key}.distribution", name, [*DISCRETE, *CONTINUOUS, *QUANTISED])
    if kind in DISCRETE:
        return choice(key, check(DISCRETE[kind], entry, f"{key}.", ": "))
    entry = dict(entry)
    step = check_step(key, entry.pop("q", 1)) if kind in QUANTISED else None
    schema, build = CONTINUOUS[QUANTISED.get(kind, kind)]
    settings = check(schema, check_numbers(key, entry), f"{key}.", ": ")
    if isinstance(settings, Interval) and settings.min >= settings.max:
        raise ConfigError(f"{key}.min={settings.min}: must be below {key}.max={settings.max}")
    return Range(build(settings).ppf, step, settings if isinstance(settings, Interval) else None)


def default_distribution(entry: dict[str, Any]) -> str:
    """Return the distribution that W&B takes for an entry that names none."""
    if "values" in entry:
        return "categorical"
    if "value" in entry or not entry.keys() & {"min", "max"}:
        return "constant"
    whole = all(isinstance(entry.get(bound), int) for bound in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def choice(key: str, settings: Any) -> Choice:
    """Return the values of a discrete distribution with their probabilities."""
    if isinstance(settings, Integers):
        if settings.min > settings.max:
            raise ConfigError(f"{key}.min={settings.min}: must not be above {key}.max={settings.max}")
        values = list(range(settings.min, settings.max + 1))
    else:
        values = [settings.value] if isinstance(settings, Constant) else settings.values
    if None in values:  # W&B writes it as key=None, which is a text
        raise ConfigError(f'{key}: null cannot be passed to a command; write "null" in quotes')
    shares = getattr(settings, "probabilities", None) or [1 / len(values)] * len(values)
    if len(shares) != len(values) or not math.isclose(sum(shares), 1):
        raise ConfigError(
            f"{key}.probabilities={shares}: expected one for each of the {len(values)} values, with a sum of 1"
        )
    return Choice(values, shares)


def check_step(key: str, q: Any) -> float:
    """Return `q`, the step of a quantised distribution; raise ConfigError unless it is a positive number."""
    if isinstance(q, bool) or not isinstance(q, int | float) or q <= 0:
        raise ConfigError(f"{key}.q={q}: expected a number above 0")
    return q


def check_numbers(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return `entry`; raise ConfigError if YAML read a number as text, as it does 1e-4 and 010."""
    for name, value in entry.items():
        if name != "distribution" and isinstance(value, str):
            raise ConfigError(f"{key}.{name}={value}: YAML reads this as text; write a number as 10, 0.0001 or 1.0e-4")
    return entry
