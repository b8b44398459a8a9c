"""A process is measured as it is, whatever the one that asks has in memory."""

import pytest
import torch

from bench.speed import startup


def test_memory_and_time_are_those_of_the_process() -> None:
    ballast = torch.ones(2**28)  # 1 GiB, here
    seconds, small = startup.process(["-c", "import time; time.sleep(0.2)"])
    assert seconds > 0.2
    _, large = startup.process(["-c", "x = b'1' * 200 * 2**20"])
    assert small < 100 < 200 < large < ballast.nbytes / 2**20


def test_a_process_that_fails_is_named_with_its_error() -> None:
    with pytest.raises(RuntimeError, match="python -m nothing: .*No module named nothing"):
        startup.process(["-m", "nothing"])


def test_an_absolute_aim_is_met_by_what_stays_below_it() -> None:
    measured = {"show": [0.5, 0.8, 0.9], "list": [1.5, 2.0, 1.8], "import torch": [4.0, 4.0, 4.0]}
    for name, met in (("show", True), ("list", False)):
        found = startup.compare_side(measured, name, "import torch", "s", most=1.0)
        assert (found.ours, found.theirs, found.met) == (sorted(measured[name])[1], 4.0, met)
