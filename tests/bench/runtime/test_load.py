"""The load of the other processes: what one burns is seen from another, and not from itself."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.runtime import load

needs_proc = pytest.mark.skipif(not load.STAT.exists(), reason="needs Linux's /proc")


def stat(ticks_of_cores: list[list[int]]) -> str:
    lines = [f"cpu{core} {' '.join(map(str, ticks))}" for core, ticks in enumerate(ticks_of_cores)]
    return "\n".join(["cpu  9 9 9 9 9 9 9 9 9 9", *lines, "intr 5", ""])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two cores of this process, a third of others, 100 ticks a second, and no use of its own."""
    monkeypatch.setattr(load, "STAT", tmp_path / "stat")
    monkeypatch.setattr("bench.runtime.load.os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr("bench.runtime.load.os.sysconf", lambda _: 100, raising=False)
    monkeypatch.setattr("bench.runtime.load.os.times", lambda: (3.0, 1.0, 0.5, 0.5, 99.0))
    return tmp_path / "stat"


def test_a_reading_by_hand(clock: Path) -> None:
    """user nice system idle iowait irq softirq steal guest guest_nice: idle, iowait and guests are no use of a core."""
    clock.write_text(stat([[1, 2, 4, 1000, 1000, 8, 16, 32, 500, 500], [100] + [0] * 9, [7000] + [0] * 9]))
    reading = load.read()
    assert reading is not None
    assert (reading.used, reading.own) == (1.63, 5.0)


def test_others_by_hand(clock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.write_text(stat([[1000] + [0] * 9, [1000] + [0] * 9]))
    monkeypatch.setattr("bench.runtime.load.time.monotonic", lambda: 12.0)
    # in two seconds 3 of the cores' 4 were used, half a second of it by this process
    assert load.cores_of_others(load.Reading(10.0, 17.0, 4.5)) == pytest.approx(1.25)
    assert load.cores_of_others(load.Reading(10.0, 20.0, 4.5)) == 0.0
    assert load.cores_of_others(load.Reading(12.0, 17.0, 4.5)) is None


def test_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load, "STAT", tmp_path / "none")
    assert load.read() is None
    assert load.cores_of_others(None) is None
    assert load.contention(None, 2, 2) == 0.0


def test_contention() -> None:
    assert load.contention(0.5, 2, 2) == 0.5
    assert load.contention(6.0, 2, 8) == 0.0
    assert load.contention(7.5, 2, 8) == 1.5


@needs_proc
def test_a_busy_process_is_seen_and_this_one_is_not() -> None:
    """The other burns half a second, and this process the same; ticks are 10 ms, and other tests run beside."""
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    since, started = load.read(), time.process_time()
    with subprocess.Popen([sys.executable, "-c", burn]) as other:
        while time.process_time() - started < 0.5:
            pass
        seen = load.cores_of_others(since)
        assert other.wait() == 0
    now = load.read()
    assert since is not None
    assert now is not None
    assert seen is not None
    assert now.own - since.own >= 0.95  # both, now that the other has been waited for
    assert now.used - since.used >= 0.95
