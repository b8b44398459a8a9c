"""The lowest peak is the target; peers' programs train their own networks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.speed.memory import MOST, RIVALS, answer


def test_only_the_lowest_peak_is_a_target() -> None:
    peaks = {"a": 800.0, "b": 1000.0}
    low, high = (answer("x", name, 880.0, peaks) for name in peaks)
    assert low.met, "a tenth above it is allowed"
    assert low.ratio == pytest.approx(1 / MOST)
    assert high.target is None


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for names in RIVALS.values() for name in names])
def test_a_rivals_program_trains_on_the_images(name: str, tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    np.save(file, np.random.default_rng(0).integers(256, size=(64, 1, 28, 28), dtype=np.uint8))
    command = [sys.executable, "-m", f"bench.speed.peers.{name}", str(file), "32", "16"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
