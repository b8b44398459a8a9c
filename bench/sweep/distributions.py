"""What a parameter of a sweep is drawn from: W&B's distributions, each by its quantiles.

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


class Listed(Section):
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


class Above0(Interval):
    min: PositiveFloat


class Bell(Section):
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
    "log_uniform_values": (Above0, lambda s: stats.loguniform(s.min, s.max)),
    # X with log(1/X) uniform between the bounds; between the bounds' own log(1/x) for the second
    "inv_log_uniform": (Interval, lambda s: stats.loguniform(math.exp(-s.max), math.exp(-s.min))),
    "inv_log_uniform_values": (Above0, lambda s: stats.loguniform(s.min, s.max)),
    "normal": (Bell, lambda s: stats.norm(s.mu, s.sigma)),
    "log_normal": (Bell, lambda s: stats.lognorm(s.sigma, scale=math.exp(s.mu))),
    "beta": (Beta, lambda s: stats.beta(s.a, s.b)),
}
QUANTISED = {f"q_{name}": name for name in CONTINUOUS if not name.startswith("inv_")}
DISCRETE: dict[str, type[Section]] = {
    "constant": Constant, "categorical": Listed, "categorical_w_probabilities": Listed, "int_uniform": Integers,
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One of several values; a coordinate is the number of one."""

    values: list[Any]
    probabilities: list[float]

    def coordinate(self, u: float) -> int:
        """The value whose share of [0, 1) holds `u`."""
        return min(bisect_right(list(accumulate(self.probabilities)), u), len(self.values) - 1)

    def at(self, coordinate: float) -> Any:
        return self.values[int(coordinate)]


@dataclass(frozen=True)
class Range:
    """A number; a coordinate in (0, 1) is the share of the draws that lie below it."""

    quantile: Callable[[float], float]
    step: float | None  # what the number is a multiple of; None: of nothing
    interval: Interval | None  # the bounds, where there are any

    def coordinate(self, u: float) -> float:
        return u

    def at(self, coordinate: float) -> float:
        value = float(self.quantile(coordinate))
        return value if self.step is None else round(value / self.step) * self.step


Parameter = Choice | Range


def parameter(key: str, given: Any) -> Parameter:
    """A parameter as a sweep file gives it under `key`; ConfigError if that is none."""
    if not isinstance(given, dict):
        raise ConfigError(f"{key}={given}: give it as value: X, values: [X, Y] or min: and max:")
    kind = check_name(f"{key}.distribution", given.get("distribution", implied(given)), [*DISCRETE, *CONTINUOUS,
                      *QUANTISED])  # fmt: skip
    if kind in DISCRETE:
        return choice(key, check(DISCRETE[kind], given, f"{key}.", ": "))
    given = dict(given)
    step = quantum(key, given.pop("q", 1)) if kind in QUANTISED else None
    schema, build = CONTINUOUS[QUANTISED.get(kind, kind)]
    settings = check(schema, numbers(key, given), f"{key}.", ": ")
    if isinstance(settings, Interval) and settings.min >= settings.max:
        raise ConfigError(f"{key}.min={settings.min}: not below {key}.max={settings.max}")
    return Range(build(settings).ppf, step, settings if isinstance(settings, Interval) else None)


def implied(given: dict[str, Any]) -> str:
    """The distribution that W&B takes where none is named."""
    if "values" in given:
        return "categorical"
    if "value" in given or not given.keys() & {"min", "max"}:
        return "constant"
    whole = all(isinstance(given.get(bound), int) for bound in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def choice(key: str, settings: Any) -> Choice:
    if isinstance(settings, Integers):
        if settings.min > settings.max:
            raise ConfigError(f"{key}.min={settings.min}: above {key}.max={settings.max}")
        values = list(range(settings.min, settings.max + 1))
    else:
        values = [settings.value] if isinstance(settings, Constant) else settings.values
    if None in values:  # W&B writes it as key=None, which is a text
        raise ConfigError(f'{key}: null is no value that a command can be told; write "null", in quotes')
    shares = getattr(settings, "probabilities", None) or [1 / len(values)] * len(values)
    if len(shares) != len(values) or not math.isclose(sum(shares), 1):
        raise ConfigError(f"{key}.probabilities={shares}: give one for each of {len(values)} values, 1 in all")
    return Choice(values, shares)


def quantum(key: str, q: Any) -> float:
    if isinstance(q, bool) or not isinstance(q, int | float) or q <= 0:
        raise ConfigError(f"{key}.q={q}: expected a number above 0")
    return q


def numbers(key: str, given: dict[str, Any]) -> dict[str, Any]:
    """`given`, unless a number was read as text: 1e-4 and 010 are texts, 1.0e-4 and 10 are none."""
    for name, value in given.items():
        if name != "distribution" and isinstance(value, str):
            raise ConfigError(f"{key}.{name}={value}: YAML reads this as text; write a number as 10, 0.0001 or 1.0e-4")
    return given
