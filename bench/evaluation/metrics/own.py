"""Metrics that users write themselves: functions of feature sets, with what tables say of their figures."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from bench.evaluation.metrics.registry import Metric

if TYPE_CHECKING:
    from bench.evaluation.metrics.feature_sets import FeatureSets
    from bench.evaluation.metrics.intervals import Estimate

Direction = Literal["lower", "higher", "neither"]
DIRECTIONS = ("lower", "higher", "neither")
FACTS = "generative_trilemma_metric"  # the attribute of a function that holds what `metric` was told

Function = TypeVar("Function", bound=Callable[["FeatureSets"], "Estimate | float | None"])


@dataclass(frozen=True)
class Facts:
    """What tables say of a metric, see `metric`."""

    direction: Direction = "neither"
    heading: str = ""
    form: str = ""
    source: str = ""
    applies: Callable[["FeatureSets"], bool] = lambda sets: True


def metric(
    direction: Direction = "neither",
    *,
    heading: str = "",
    form: str = "",
    source: str = "",
    applies: Callable[["FeatureSets"], bool] = lambda sets: True,
) -> Callable[[Function], Function]:
    """Say what tables need to know of a metric, a function from `FeatureSets` to a float, an `Estimate`, or None.

    direction: which figures are better. heading: of its column; "": its name. form: a format of floats, as in ".3f";
    "": three significant digits. source: where it is from, in a clause; "": the first line of the docstring.
    applies: whether feature sets have what the metric needs. Raises ValueError for another direction or form.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"metric: direction={direction!r}; choose from {', '.join(DIRECTIONS)}")
    try:
        format(1.5, form)
    except (ValueError, TypeError):
        raise ValueError(f"metric: form={form!r} is no format of a float; write one as in '.3f'") from None

    def stated(function: Function) -> Function:
        setattr(function, FACTS, Facts(direction, heading, form, source, applies))
        return function

    return stated


@dataclass(frozen=True)
class OwnMetric(Metric):
    """A metric of the user's own. version: of its source files, so that a changed file is computed again.

    heading, form: as in `Facts`. owns: whether a file is the user's, for the place of an error.
    """

    heading: str = ""
    form: str = ""
    owns: Callable[[Path], bool] = lambda file: True

    def compute(self, sets: "FeatureSets") -> "Estimate | None":
        """Call the function; ValueError where it returns neither a finite figure, nor an estimate of one, nor None."""
        from bench.evaluation.metrics.intervals import Estimate

        assert callable(self.function)
        figure = self.function(sets)
        if figure is None:
            return None
        try:
            estimate = figure if isinstance(figure, Estimate) else Estimate(float(figure))
        except (TypeError, ValueError):
            raise ValueError(f"returns {type(figure).__name__}, not a float, an Estimate or None") from None
        if not math.isfinite(estimate.value):
            raise ValueError(f"returns {estimate.value}; return None where there is no figure")
        return estimate

    def column(self) -> dict[str, str]:
        """Return what a table says of its figures."""
        return {"heading": self.heading, "form": self.form, "direction": self.direction, "source": self.source}


def own_metric(
    name: str,
    function: Callable[["FeatureSets"], "Estimate | float | None"],
    version: str,
    owns: Callable[[Path], bool] = lambda file: True,
) -> OwnMetric:
    """Return the metric of a user's function; version: of its source files; owns: whether a file is the user's."""
    facts: Facts = getattr(function, FACTS, Facts())
    lines = (function.__doc__ or "").strip().splitlines()
    source = facts.source or (lines[0].rstrip(".") if lines else "")
    stated = cast(Callable[["FeatureSets"], "Estimate | None"], function)  # whose floats `compute` converts
    return OwnMetric(
        name, facts.direction, source, stated, facts.applies, version,
        heading=facts.heading, form=facts.form, owns=owns,
    )  # fmt: skip
