"""What a question of `bench speed` is answered by: ratios of what was measured side by side, and their targets."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Tick = Callable[[float], None]  # told which further share of a question's work is done
Rounds = dict[str, list[float]]  # of each side, seconds for a unit of work in each round


@dataclass(frozen=True)
class Answer:
    """Ours against one rival or limit. Ratios are such that more is better for us."""

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
        """Whether the target is; None without one."""
        return None if self.target is None else self.ratio >= self.target


def interleave(sides: Mapping[str, Callable[[], float]], rounds: int, tick: Tick) -> Rounds:
    """Each side's seconds for a unit of work, from rounds in which every side works once, in turn.

    A first round warms up and does not count, so that `rounds` + 1 are made; `tick` is told of each side's share.
    """
    measured: Rounds = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            seconds = work()
            if number:
                measured[name].append(seconds)
            tick(1 / (rounds + 1) / len(sides))
    return measured


def ratios(measured: Rounds, ours: str, theirs: str) -> list[float]:
    """By how much ours is faster in each round, ascending."""
    return sorted(b / a for a, b in zip(measured[ours], measured[theirs], strict=True))


def rate(measured: Rounds, side: str) -> float:
    """Units of work a second, by the median round."""
    return 1 / statistics.median(measured[side])


def quartiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The borders of the middle half; None twice of a single value."""
    if len(values) < 2:
        return None, None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def answer(
    measured: Rounds, what: str, against: str, unit: str, ours: str, theirs: str, target: float | None, note: str = ""
) -> Answer:
    """Of rounds: the median ratio, and both sides' median rates."""
    found = ratios(measured, ours, theirs)
    low, high = quartiles(found)
    return Answer(
        what, against, unit, rate(measured, ours), rate(measured, theirs), statistics.median(found), low, high,
        target, note,
    )  # fmt: skip
