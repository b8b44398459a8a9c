"""`bench sweep` from a file to the table: the recorded is skipped, a failure stops nothing, a stop loses nothing."""

import csv
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bench.cli.main import main
from bench.config.load import load
from bench.results import records
from bench.sweep import Machines, sweep
from bench.sweep.local import LocalExecutor, places
from bench.sweep.plan import planned
from bench.sweep.result import show_table

PRECISE = "trainer.precision=32-true"  # also where bfloat16 is the default, which amplifies a library's roundings


def metrics(results: Path) -> dict[str, list[dict[str, float]]]:
    """Run -> the figures of its rows."""
    return {one.run_id: [row.metrics for row in one.results.values()] for one in records.read_all(results)}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@contextmanager
def once(condition: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Acts beside the block, a moment after the condition holds, unless the block has ended by then."""
    over = threading.Event()

    def watch() -> None:
        while not condition() and not over.wait(0.02):
            continue
        if not over.wait(0.5):
            act()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_one_failure_stops_nothing_and_the_rest_is_what_bench_train_records(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0, 1], "model.learning_rate": [1e-3, 1e30]}, "model=vae", "train.images=1600", PRECISE)
    assert main(["sweep", str(file), "results=r"]) == 1
    text = said(capsys)
    assert "sweep: 4 runs in r: 0 recorded and skipped, 4 to run" in text
    assert "the loss is nan after 1,600 images" in text
    assert "2 of 4 failed; the same command tries them again" in text
    failed = {one.run_id for one in records.failures(Path("r"))}
    assert len(failed) == 2
    assert all(f"{name}: exit status 2; {Path.cwd() / 'r/sweeps/logs' / name}.log" in text for name in failed)
    runs = [one for one in records.read_all(Path("r")) if one.family != records.FLOOR]
    assert len(runs) == 2
    shares = places(None, 4, [])
    for one in runs:
        assert one.hardware["jobs"] == len(shares)
        assert one.hardware["threads"] in {len(share.cores) for share in shares}
    lines = csv.DictReader(Path("r/TABLE.csv").read_text().splitlines())
    (line,) = (one for one in lines if one["row"] == "vae")
    assert line["seeds"] == "2"

    words = ["model.learning_rate=0.001", "seed=1", "model=vae", "train.images=1600", PRECISE, "results=plain"]
    fixed = ["preset=smoke", "data=ring_8", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4"]
    alone = [sys.executable, "-m", "bench.cli.main", "train", *fixed, "trainer.accelerator=cpu", *words]
    subprocess.run(alone, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    swept = metrics(Path("r"))
    for run_id, rows in metrics(Path("plain")).items():
        for alone_row, swept_row in zip(rows, swept[run_id], strict=True):
            assert swept_row == pytest.approx(alone_row, rel=1e-4)  # libraries round as their memory happens to lie

    files = {file: file.stat().st_mtime_ns for file in Path("r/records").iterdir()}
    capsys.readouterr()
    assert main(["sweep", str(file), "results=r"]) == 1
    text = said(capsys)
    assert "4 runs in r: 2 recorded and skipped, 2 to run, 2 of which failed before" in text
    assert "estimated: 0:0" in text
    assert {file: file.stat().st_mtime_ns for file in Path("r/records").iterdir()} == files
    assert main(["sweep", str(file), "results=r", "model.learning_rate=0.001"]) == 0
    assert "2 runs in r: 2 recorded and skipped, 0 to run" in said(capsys)


@pytest.mark.slow
def test_a_stopped_sweep_ends_like_the_undisturbed_one(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the training, then kill -9 of a cell, then the same command: the same weights, the same figures."""
    file = write({"model": ["vae"]}, "train.images=32000")
    assert main(["sweep", str(file), "results=calm", "--jobs=1"]) == 0
    command = ["sweep", str(file), "results=r", "--jobs=1"]
    ((name, figures),) = ((name, rows) for name, rows in metrics(Path("calm")).items() if name.startswith("vae"))
    log = Path.cwd() / "r/sweeps/logs" / f"{name}.log"
    capsys.readouterr()

    with once(lambda: trains(log, 1), lambda: os.kill(os.getpid(), signal.SIGINT)):
        assert main(command) == 130
    assert "stopped; what ran has saved its state" in said(capsys)
    assert name not in metrics(Path("r"))

    made: list[LocalExecutor] = []
    prepare = LocalExecutor.__init__
    monkeypatch.setattr(LocalExecutor, "__init__", lambda self, *given: made.append(self) or prepare(self, *given))
    with once(lambda: trains(log, 2), lambda: os.kill(made[0].cells[name].process.pid or 0, signal.SIGKILL)):
        assert main(command) == 1
    assert "killed by signal 9" in said(capsys)

    assert main(command) == 0
    assert metrics(Path("r"))[name] == figures
    whole, broken = (torch.load(Path(at) / "runs" / name / "final.ckpt", weights_only=True)["state_dict"]
                     for at in ("calm", "r"))  # fmt: skip
    assert all(torch.equal(value, broken[key]) for key, value in whole.items())


def trains(log: Path, times: int) -> bool:
    """Whether the training has begun so many times."""
    return log.exists() and log.read_text().count("32,000 images, ") >= times


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "bench sweep configs/sweep/families.yaml" in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize(
    ("words", "said_then"),
    [
        (["--address=auto"], "--address=auto: belongs to --executor ray; take it out"),
        (["--gpus=0.5"], "--gpus=0.5: belongs to --executor ray; take it out"),
        (["--executor=ray", "--jobs=2"], "--jobs=2: belongs to --executor local; take it out"),
        (["--jobs=0"], "--jobs=0: at least one run at a time"),
        (["train.batch=0"], "sweep.yaml: cell 1 (seed=0): train.batch=0"),
        (["trainer.num_nodes=2"], "sweep.yaml: cell 1 (seed=0): trainer.num_nodes=2"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_written(
    words: list[str], said_then: str, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"seed": [0, 1]}, "model=vae")
    assert main(["sweep", str(file), "results=r", *words]) == 2
    text = said(capsys)
    assert said_then in text
    assert text.count("bench: ") == 1
    assert not Path("r").exists()


def test_more_devices_than_gpus_are_refused(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sweep.visible_gpus", lambda: ["0", "1"])
    file = str(write({"seed": [0]}, "model=vae"))
    for machines, words, message in (
        (Machines(), ["trainer.devices=4"], "trainer.devices=4: this machine has 2 GPUs"),
        (Machines(jobs=3), ["trainer.devices=2"], "--jobs=3: runs on 2 devices share none"),
    ):
        with pytest.raises(Exception, match=message):
            sweep(file, ["results=r", "trainer.accelerator=gpu", *words], machines)
    assert not Path("r").exists()


def test_two_presets_in_one_sweep_are_answered_with_how_to_choose_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    made = [planned([], config, several=False) for preset in ("smoke", "quick")
            for config in load([f"preset={preset}", "model=vae"])]  # fmt: skip
    show_table(made, Path("r"))
    assert "bench table preset=quick|smoke results=r" in said(capsys)
