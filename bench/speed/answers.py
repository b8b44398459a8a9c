"""Answers of `bench speed`: ratios of interleaved measurements, and their targets."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Tick = Callable[[float], None]  # called with each further share of a question's work
Rounds = dict[str, list[float]]  # of each side, seconds for a unit of work in each round


@dataclass(frozen=True)
class Answer:
    """Our figure against one rival or limit. Higher ratios are better for us."""

    what: str
    against: str
    unit: str  # of `ours` and `theirs`
    ours: float
    theirs: float
    ratio: float
    low: float | None = None  # the middle half of the ratios over the rounds; None of one round
    high: float | None = None
    target: float | None = None  # the least that the ratio should be
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.target is None else self.ratio >= self.target


def interleave(sides: Mapping[str, Callable[[], float]], rounds: int, tick: Tick) -> Rounds:
    """Measure each side's seconds for a unit of work, in rounds in which every side works once, in turn.

    A first round warms up and does not count, so there are `rounds` + 1; `tick` is called with each side's share.
    """
    measurements: Rounds = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            seconds = work()
            if number:
                measurements[name].append(seconds)
            tick(1 / (rounds + 1) / len(sides))
    return measurements


def ratios(measurements: Rounds, ours: str, theirs: str) -> list[float]:
    """Return how many times faster ours is in each round, ascending."""
    return sorted(b / a for a, b in zip(measurements[ours], measurements[theirs], strict=True))


def rate(measurements: Rounds, side: str) -> float:
    """Return units of work a second, by the median round."""
    return 1 / statistics.median(measurements[side])


def quartiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the lower and the upper quartile; None twice of a single value."""
    if len(values) < 2:
        return None, None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def answer(
    measurements: Rounds,
    what: str,
    rival: str,
    unit: str,
    ours: str,
    theirs: str,
    target: float | None,
    note: str = "",
) -> Answer:
    """Answer by the median ratio of the rounds, and both sides' median rates."""
    quotients = ratios(measurements, ours, theirs)
    low, high = quartiles(quotients)
    return Answer(
        what, rival, unit, rate(measurements, ours), rate(measurements, theirs), statistics.median(quotients),
        low, high, target, note,
    )  # fmt: skip
