"""What a run is doing can be seen from beside it, and only while it does it."""

import json
import math
from pathlib import Path

import pytest

from bench.results import status as live
from bench.results.layout import STATUS
from bench.runtime import console as progress
from bench.runtime.console import Bar
from bench.runtime.locks import exclusive

CONFIG = {"model": {"name": "vae"}, "seed": 0}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, which a test sets."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_bar_is_seen_with_its_time_and_curves_until_the_block_ends(tmp_path: Path, clock: list[float]) -> None:
    folder = tmp_path / "runs" / "r1"
    with exclusive(tmp_path, "r1"), live.publish_status("r1", CONFIG, folder):
        assert live.running(tmp_path) == []
        with Bar("train vae", 1000, "images", done=200) as bar:
            bar.curves = {"images_seen": [250.0], "loss": [2.0]}
            clock[0] += 10
            bar.advance(200)
            (one,) = live.running(tmp_path)
            assert (one.run_id, one.config, one.stage, one.unit) == ("r1", CONFIG, "train vae", "images")
            assert (one.done, one.total, one.seconds) == (400, 1000, 10)
            assert one.left == 600 / (200 / 10), "at the rate of this process, not counting what was done before"
            assert one.curves == bar.curves
            clock[0] += live.SECONDS_BETWEEN_WORDS / 2
            bar.advance(100)
            assert live.running(tmp_path) == [one], "not told at every move"
            clock[0] += live.SECONDS_BETWEEN_WORDS / 2
            bar.advance(100)
            assert live.running(tmp_path)[0].done == 600
    assert live.running(tmp_path) == []
    assert list(folder.iterdir()) == []
    assert progress.watcher is None


def test_a_killed_run_is_doing_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "r1"
    with exclusive(tmp_path, "r1"), live.publish_status("r1", CONFIG, folder), Bar("train vae", 10, "images") as bar:
        bar.advance()
        left = (folder / STATUS).read_text()
    (folder / STATUS).write_text(left)
    assert live.running(tmp_path) == [], "whoever wrote it holds no lock any more"
    with exclusive(tmp_path, "r1"):
        assert [one.done for one in live.running(tmp_path)] == [1]
        (folder / STATUS).write_text(left[:-5])
        assert live.running(tmp_path) == []
        (folder / STATUS).write_text(json.dumps({"run_id": "r1", "of": "another version"}))
        assert live.running(tmp_path) == []


def test_a_full_disk_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "write_text", full)
    with live.publish_status("r1", CONFIG, tmp_path), Bar("train vae", 10, "images") as bar:
        bar.advance()
    assert math.isclose(bar.done, 1)
