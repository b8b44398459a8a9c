"""Ratios, and the file that answers are kept in."""

import math
from collections.abc import Callable

from bench.speed.answers import answer, interleave


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    shares: list[float] = []

    def side(name: str, seconds: list[float]) -> Callable[[], float]:
        left = iter(seconds)

        def work() -> float:
            calls.append(name)
            return next(left)

        return work

    sides = {"ours": side("ours", [50.0, 1.0, 2.0, 4.0]), "theirs": side("theirs", [0.0, 3.0, 2.0, 16.0])}
    measured = interleave(sides, 3, shares.append)
    assert calls == ["ours", "theirs"] * 4
    assert measured == {"ours": [1.0, 2.0, 4.0], "theirs": [3.0, 2.0, 16.0]}
    assert math.isclose(sum(shares), 1)
    found = answer(measured, "x", "y", "images/s", "ours", "theirs", 2.0)
    # ratios 3, 1, 4; the median of each side's seconds, 2 and 3
    assert (found.ratio, found.low, found.high) == (3.0, 2.0, 3.5)
    assert (found.ours, found.theirs, found.met) == (0.5, 1 / 3, True)
