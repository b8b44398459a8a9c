"""A stop by a signal is a clean end wherever a command is: one sentence, the right status, what is measured kept."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import main as cli
from bench.runtime import signals
from bench.runtime.files import write_text
from bench.training.fit import Interrupted

PATIENCE = 300  # seconds, for a machine that others use, too


@pytest.fixture(autouse=True)
def default_handlers() -> None:
    """A shell starts what it puts in the background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_any_command_in_one_sentence(
    number: signal.Signals, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr("bench.cli.list.run", lambda options: os.kill(os.getpid(), number))
    assert cli.main(["list"]) == status
    assert capsys.readouterr().err.count("\n") == 1
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_signal_breaks_off_the_clean_end_and_a_repeated_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def wait(kill: Callable[[], None], name: str) -> None:
        try:
            kill()
            time.sleep(30)
        finally:
            kill()
            ended.append(name)

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(signals.Terminated), signals.signals_as_exceptions():
        wait(kill, "the same signal again, as timeout(1) sends it")
    monkeypatch.setattr(signals, "SECONDS_OF_ONE_SIGNAL", 0.0)
    with pytest.raises(signals.Terminated), signals.signals_as_exceptions():
        wait(kill, "never")
    assert ended == ["the same signal again, as timeout(1) sends it"]


def test_what_is_ignored_stays_ignored_and_another_thread_changes_nothing() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals.signals_as_exceptions():
        os.kill(os.getpid(), signal.SIGINT)
    before = signal.getsignal(signal.SIGTERM)
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(cli.main(["list", "metrics"])))
    thread.start()
    thread.join()
    assert status == [0]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_status_of_a_stop_is_the_signals() -> None:
    assert signals.status(KeyboardInterrupt()) == 130
    assert signals.status(signals.Terminated()) == 143
    assert signals.status(Interrupted("stopped", 143)) == 143
    assert signals.status(ValueError()) == signals.status(None) == 1


def test_a_signal_right_after_a_file_has_its_name_leaves_it_whole_and_is_still_that_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def stopped(source: str, target: Path) -> None:
        replace(source, target)
        raise signals.Terminated

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(signals.Terminated):
        write_text(tmp_path / "record.json", "whole")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["whole"]


STAGES = {  # what is called in each stage of a command, in their order
    "reference features": "bench.runs.context.reference",
    "real images": "bench.runs.baselines.evaluate_images",
    "timing": "bench.runs.evaluate.time_sampling",
    "samples": "bench.runs.evaluate.evaluate",
    "pictures": "bench.plots.model_pictures.draw",
    "abilities": "bench.runs.tasks.task",
}


def test_each_stage_of_the_evaluation_may_be_stopped_and_the_same_command_goes_on(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill(*arguments: object, **settings: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    tiny = ["train.images=64", "model.width=4", "evaluation.samples=64", "evaluation.timed_images=4"]
    words = ["train", "model=gan", "preset=smoke", "trainer.accelerator=cpu", "results=r", *tiny]
    trained = []
    for stage, name in STAGES.items():
        with monkeypatch.context() as patched:
            patched.setattr(name, kill)
            assert cli.main(words) == 143, stage
        said = capsys.readouterr().err
        assert "stopped; everything measured so far is recorded, and the same command resumes" in said, stage
        trained += [line for line in said.splitlines() if line.strip().startswith("train gan")]
    assert len(trained) == 1
    (file,) = Path("r/records").glob("gan-*.json")
    (stopped,) = json.loads(file.read_text())["results"].values()
    assert cli.main(words) == 0
    (whole,) = json.loads(file.read_text())["results"].values()
    assert whole == stopped
    assert whole["metrics"]["fid"] > 0


def command(digits: Path, *words: str) -> list[str]:
    data = ["data=image_folder", f"data.root={digits}", "data.size=28", "evaluation.extractor=mnist-cnn"]
    budget = ["preset=smoke", "trainer.accelerator=cpu", "train.images=64", "train.batch=32", "results=r"]
    return [sys.executable, "-m", "bench.cli.main", "train", *data, *budget, *words]


def stopped_when(words: list[str], ready: Callable[[], bool], number: signal.Signals) -> tuple[int, str]:
    """Start a command, signal it when `ready`, and return its status and all that it said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(Path.cwd())}
    file = Path("said")
    with file.open("w") as said:
        process = subprocess.Popen(words, stderr=said, stdout=subprocess.DEVNULL, env=environment)
        end = time.monotonic() + PATIENCE
        while process.poll() is None and not ready() and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(number)
        return process.wait(PATIENCE), file.read_text()


def rows() -> list[bool]:
    """For each row of the run's record, those with figures first, whether it has figures."""
    records = [json.loads(file.read_text()) for file in Path("r/records").glob("ddpm-*.json")]
    return sorted((bool(row["metrics"]) for record in records for row in record["results"].values()), reverse=True)


@pytest.mark.slow
def test_a_kill_in_the_evaluation_keeps_what_is_measured_and_the_next_call_goes_on(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM while the second row is timed, Ctrl-C while it is sampled, and the same command once more."""
    monkeypatch.chdir(tmp_path)
    model = [
        "model=ddpm",
        "model.channels=[8,8]",
        "model.T=200",
        "samplers=[ddim-10, ancestral-200]",
        "headline=ddim-10",
    ]
    words = command(digits, *model, "evaluation.samples=48", "evaluation.timed_images=4", "wandb.mode=offline")
    code, rest = stopped_when(words, lambda: rows() == [True], signal.SIGTERM)
    assert code == 143, rest
    assert "stopped; everything measured so far is recorded" in rest
    assert "Traceback" not in rest
    (file,) = Path("r/records").glob("ddpm-*.json")
    first = json.loads(file.read_text())
    ((key, row),) = first["results"].items()
    assert row["protocol"]["sampler"] == "ddim-10"
    assert row["metrics"]["fid"] > 0
    assert not list(Path("r").glob("runs/*/live.json"))
    assert len(list(Path("r").glob("runs/*/wandb/offline-run-*/*.wandb"))) == 1

    code, rest = stopped_when(words, lambda: rows() == [True, False], signal.SIGINT)
    assert code == 130, rest
    assert "Traceback" not in rest
    second = json.loads(file.read_text())["results"]
    assert second[key] == row
    (timed,) = (result for other, result in second.items() if other != key)
    assert timed["metrics"] == {}

    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "ancestral-200: it was only timed; " in " ".join(done.stderr.split())
    third = json.loads(file.read_text())
    assert {one["timing"]["nfe"] for one in third["results"].values()} == {10, 200}
    assert all(one["metrics"]["fid"] > 0 for one in third["results"].values())
    assert {name: one["timing"] for name, one in third["results"].items()} == {
        name: one["timing"] for name, one in second.items()
    }
    assert third["train_seconds"] == first["train_seconds"]
