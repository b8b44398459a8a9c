"""An axis of a chart: figures to places and back, and where its ticks stand."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `end`; logarithmic ones are above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside the axis is put at its end."""
        low, high, value = (math.log10(one) if self.log else one for one in (self.low, self.high, self.inside(value)))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)

    def ticks(self) -> list[float]:
        """Round values along the axis, from 2 to 8 of them where its range allows."""
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


def spanning(values: Sequence[float], start: float, end: float, *, log: bool, margin: float = 0.1) -> Axis:
    """An axis that holds all values, with a share of its length to spare at both ends."""
    low, high = min(values), max(values)
    if log:
        low, high = math.log10(low), math.log10(high)
    spare = margin * (high - low) or (0.5 if log else abs(high) * margin or 1.0)
    low, high = low - spare, high + spare
    return Axis(10**low if log else low, 10**high if log else high, start, end, log)


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; with their multiples by 2 and 5 where these are few, every second or third where many."""
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 2.5 else (1, 3) if decades < 3.5 else (1,)
    every = max(1, math.ceil(decades / 7))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    made = [step * 10.0**power for power in range(first, last + 1) if power % every == 0 for step in steps]
    within = [tick for tick in made if low <= tick <= high]
    return within if len(within) > 1 else linear_ticks(low, high)


def linear_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about five."""
    step = next(one for one in round_steps(high - low) if (high - low) / one <= 6)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def round_steps(span: float) -> Iterator[float]:
    power = 10.0 ** (math.floor(math.log10(span)) - 1)
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def label(tick: float) -> str:
    """A tick in few characters."""
    return f"{tick:,.0f}" if abs(tick) >= 1000 and tick == round(tick) else f"{tick:.4g}"
