"""Runs that are stopped and gone on with are one run in W&B, and a W&B that is gone stops no run."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wandb import teardown

import models.base
from bench.cli.main import main
from bench.results.records import Record, read
from bench.tracking import session
from bench.tracking.session import Identity, Session
from bench.training import callbacks, fit
from models.base import GenerativeModel

WORDS = ["train", "model=vae", "data=ring_8", "preset=smoke", "results=r", "trainer.accelerator=cpu",
         "train.images=320", "train.batch=8", "evaluation.samples=64", "evaluation.timed_images=4"]  # fmt: skip
POINTS = [40.0 * k for k in range(1, 9)]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Curves with points in so short a training, checkpoints at each, results in the test's own folder."""
    for module in (models.base, callbacks, fit):
        monkeypatch.setattr(module, "LOG_EVERY", 5)
    monkeypatch.chdir(tmp_path)


def at_images(monkeypatch: pytest.MonkeyPatch, images: int, happen: Callable[[], object]) -> None:
    start = GenerativeModel.on_train_batch_start

    def count(self: GenerativeModel, batch: Any, batch_idx: int) -> None:
        start(self, batch, batch_idx)
        if self.images_seen == images:
            happen()

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", count)


def stop() -> None:
    raise KeyboardInterrupt


def recorded() -> Record:
    (file,) = Path("r/records").glob("vae-*.json")
    return read(file)


def curve(history: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(line["images_seen"], line[name]) for line in history if name in line]


def wandb(*words: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name("wandb"), *words], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_gone_on_with_is_one_run_with_each_point_once(
    mode: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    for images in (104, 224):
        with monkeypatch.context() as patch:
            patch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
            at_images(patch, images, stop)
            assert main([*WORDS, f"wandb.mode={mode}"]) == 130
        assert [one.exit_code for one in server.runs.values()] == ([130] if mode == "online" else [])
        kept = sorted(Path("r").glob("runs/*/checkpoints/*"), key=lambda file: file.stat().st_mtime)
        kept[-1].unlink()  # what a kill loses: everything since an older checkpoint
    assert main([*WORDS, f"wandb.mode={mode}"]) == 0
    record = recorded()
    files = list(Path("r").glob("runs/*/wandb/offline-run-*"))
    if mode == "offline":
        assert len(files) == 1, "one file holds all, since W&B would show the last of several alone"
        wandb("sync", str(files[0]))
    assert list(server.runs) == [record.run_id]
    run = server.runs[record.run_id]
    assert record.curves["images_seen"] == POINTS
    points = zip(record.curves["images_seen"], record.curves["loss"], strict=True)
    assert curve(run.history, "train/loss") == [(x, pytest.approx(y)) for x, y in points]
    assert [seen for seen, _ in curve(run.history, "samples")] == POINTS
    assert run.opened == (3 if mode == "online" else 1)
    assert run.exit_code == 0
    assert "quality/high_quality" in run.summary


@pytest.mark.slow  # W&B sends what is logged every 15 seconds
def test_a_server_that_falls_silent_holds_up_no_training_and_the_rest_can_be_sent(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "SECONDS_TO_END", 3.0)
    moments: list[float] = []

    def fall_silent() -> None:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not any(run.history for run in server.runs.values()):
            time.sleep(0.1)
        server.dead.set()
        moments.append(time.monotonic())

    at_images(monkeypatch, 160, fall_silent)
    keep = fit.keep
    monkeypatch.setattr(fit, "keep", lambda *given: (moments.append(time.monotonic()), keep(*given)))
    assert main([*WORDS, "wandb.mode=online"]) == 0
    silent, trained = moments
    assert trained - silent < 20, "training did not wait for the server"
    record = recorded()
    said = f"the upload of {record.run_id} is incomplete; `bench wandb push` sends the rest"
    assert said in capsys.readouterr().err
    known = curve(server.runs[record.run_id].history, "train/loss")
    assert 0 < len(known) < len(POINTS)
    server.dead.clear()
    teardown()  # a new process, as it were
    assert main(["wandb", "push", "results=r"]) == 0
    run = server.runs[record.run_id]
    assert [seen for seen, _ in curve(run.history, "train/loss")] == POINTS
    assert run.history[-1]["comparison"]["nrows"] == 1
    assert "quality/high_quality" in run.summary
    assert {one.kind for one in server.artifacts.values()} >= {"dataset", "model", "record", "run_table"}


def test_a_server_that_is_silent_from_the_start_leaves_the_run_offline(
    server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "SECONDS_TO_OPEN", 3.0)
    server.dead.set()
    started = time.monotonic()
    with Session(Identity("r1", "r1", "p", {}), "online", tmp_path) as one:
        one.tell(lambda run: run.log({"images_seen": 1.0, "train/loss": 2.0}))
        assert time.monotonic() - started < 1, "nobody waits for the server while there is work to do"
    assert (one.mode, one.whole) == ("offline", True)
    said = capsys.readouterr().err
    assert "; kept offline" in said
    server.dead.clear()
    (place,) = tmp_path.glob("wandb/offline-run-*-r1")
    wandb("sync", str(place))
    assert curve(server.runs["r1"].history, "train/loss") == [(1.0, 2.0)]


def test_an_error_while_telling_is_said_once_and_stops_nothing(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: Any) -> None:
        raise OSError("no space\nleft")

    with Session(Identity("r1", "r1", "p", {}), "online", tmp_path) as one:
        one.tell(fail)
        one.tell(fail)
        one.tell(lambda run: run.log({"images_seen": 1.0, "train/loss": 2.0}))
    assert not one.whole
    assert capsys.readouterr().err.count("logging failed in part: no space\n") == 1
    assert curve(server.runs["r1"].history, "train/loss") == [(1.0, 2.0)]


def test_a_training_that_diverges_is_a_failed_run_that_says_why(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*WORDS, "wandb.mode=online", "model.learning_rate=1e30"]) == 2
    ((run_id, run),) = server.runs.items()
    (failure,) = Path("r/failures").glob("*.json")
    assert failure.stem == run_id
    assert run.exit_code == 1
    assert run.summary["failed"] == json.loads(failure.read_text())["cause"]


def test_a_stop_before_anything_was_told_leaves_what_was_kept_offline(
    nobody: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "wandb.mode=offline"]) == 0
    (kept,) = Path("r").glob("runs/*/wandb/offline-run-*")
    digest = (kept / "record.digest").read_text()
    with monkeypatch.context() as patch:
        patch.setattr("bench.runs.run.evaluate_rows", lambda *_: stop())
        assert main(["evaluate", recorded().run_id, "results=r", "evaluation.seed=1"]) == 130
    assert list(Path("r").glob("runs/*/wandb/offline-run-*")) == [kept]
    assert (kept / "record.digest").read_text() == digest
    assert main(["evaluate", recorded().run_id, "results=r", "evaluation.seed=1"]) == 0
    (newer,) = Path("r").glob("runs/*/wandb/offline-run-*")
    assert newer != kept
    assert (newer / "record.digest").read_text() != digest


def test_samples_that_cannot_be_drawn_are_said_and_stop_no_training(
    nobody: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.tracking.callback.save", full)
    assert main([*WORDS, "wandb.mode=offline"]) == 0
    assert recorded().curves["images_seen"] == POINTS
    assert capsys.readouterr().err.count("W&B: logging failed in part: [Errno 28] No space left on device") == 1


def test_drawing_samples_is_no_part_of_the_training_time(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.tracking.callback.save", lambda *_: time.sleep(0.5))
    started = time.monotonic()
    assert main([*WORDS, "wandb.mode=offline"]) == 0
    assert time.monotonic() - started > 8 * 0.5
    assert recorded().train_seconds < 8 * 0.5


def test_a_recorded_run_of_an_agents_sweep_is_told_again_under_the_sweeps_id(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(WORDS) == 0
    assert not server.runs
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_RUN_ID", "x7q2")
    assert main(WORDS) == 0
    assert list(server.runs) == ["x7q2"]
    assert "quality/high_quality" in server.runs["x7q2"].summary
    assert main(["train", "preset=smoke"]) == 2
    assert "`wandb agent` runs one model at a time" in capsys.readouterr().err


def test_offline_files_of_two_sessions_begun_within_a_second_are_one_set_in_the_end(tmp_path: Path) -> None:
    # W&B's folder names hold the second, and -1 where that is taken
    first = tmp_path / "wandb" / "offline-run-20261125_214149-r1"
    second = first.with_name(f"{first.name}-1")
    first.mkdir(parents=True)
    second.mkdir()
    assert session.settle(second, "r1", "a digest", 0.0)
    assert [first.exists(), second.exists()] == [False, True]
    assert session.kept_offline(tmp_path, "r1", "a digest")
    first.mkdir()
    assert not session.settle(first, "r1", "", 0.0), "a session that was told nothing leaves what is there"
    assert [first.exists(), second.exists()] == [False, True]
