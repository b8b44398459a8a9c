"""A cell in a temporary folder of another machine: what it is sent, and that home then holds what it left."""

import importlib
import sys
import threading
from pathlib import Path

import pytest

from bench.config.schema import ConfigError
from bench.results import records
from bench.runtime.files import write_bytes
from bench.sweep import remote, worker
from bench.sweep.executor import Cell
from bench.sweep.logs import log_of
from bench.sweep.remote import RemoteJob, RemoteResult

RUN = "vae-mnist-0-0123abcd"
OWN, FAILURE, LOG = f"records/{RUN}.json", f"failures/{RUN}.json", f"sweeps/logs/{RUN}.log"
BASELINE = "records/held-out-mnist-0.json"
WEIGHTS, CHECKPOINT = f"runs/{RUN}/final.ckpt", f"runs/{RUN}/checkpoints/000000000064.ckpt"

# In the place of `bench train`: its first argument is what it does; a "long" one ends only with a checkpoint.
STUB = """
import os, signal, sys, time
from pathlib import Path
run = Path(sys.argv[-1].removeprefix("results="), "runs", "vae-mnist-0-0123abcd")
checkpoint = run / "checkpoints" / "000000000064.ckpt"
lock = run.parents[1] / "locks" / "run.lock"
for file in (checkpoint, lock):
    file.parent.mkdir(parents=True, exist_ok=True)
lock.touch()
print("cwd", os.getcwd(), "jobs", os.environ["BENCH_JOBS"], flush=True)

def stop(number, frame):
    checkpoint.write_bytes(b"half")
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
if sys.argv[1] == "fail":
    sys.exit("no space left")
while sys.argv[1] == "long" and not checkpoint.exists():
    time.sleep(0.05)
(run / "final.ckpt").write_bytes(b"weights" + (checkpoint.read_bytes() if checkpoint.exists() else b""))
checkpoint.unlink(missing_ok=True)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder; cells run a stub."""
    stub = tmp_path / "stub.py"
    stub.write_text(STUB)
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, str(stub)])
    monkeypatch.setattr(remote, "SECONDS_BETWEEN_LOOKS", 0.05)
    return tmp_path / "home"


def job(home: Path, word: str = "ends", folder: str = "/nowhere", gpu: bool = False) -> RemoteJob:
    cell = Cell(RUN, (word,), RUN, 1)
    return RemoteJob(cell, Path(folder), 1, gpu, remote.files_to_send(home, cell))


def content(results: Path) -> dict[str, bytes]:
    return {str(file.relative_to(results)): file.read_bytes() for file in results.rglob("*") if file.is_file()}


def a_record(name: str, digest: str = "", family: str = "vae") -> bytes:
    record = records.reference(name, "vae", {"preset": "smoke", "data": {}}, digest, family)
    return record.model_dump_json().encode()


def put(results: Path, files: dict[str, bytes]) -> None:
    for name, text in files.items():
        write_bytes(results / name, text)


def test_a_cell_leaves_all_its_files_at_home_and_none_where_it_ran(home: Path) -> None:
    lines: list[str] = []
    result = remote.run(job(home), 3, lines.append)
    assert result.code == 0
    assert set(result.files) == {WEIGHTS, LOG}, "no locks"
    remote.save_files(job(home), result, home)
    assert content(home) == result.files
    first, second = log_of(home, RUN).read_text().splitlines()
    assert lines[0] == first
    assert first.endswith(", 1 threads")
    assert second.endswith(" jobs 3")
    assert not Path(second.split()[1]).exists(), "the folder of the run is gone"


def test_relative_paths_start_from_the_sweeps_folder_where_a_machine_has_it(home: Path, tmp_path: Path) -> None:
    result = remote.run(job(home, folder=str(tmp_path)), 1, print)
    assert f"cwd {tmp_path} jobs 1" in result.files[LOG].decode()


def test_a_failed_cells_log_comes_home(home: Path) -> None:
    failed = job(home, "fail")
    result = remote.run(failed, 1, print)
    remote.save_files(failed, result, home)
    assert result.code == 1
    assert log_of(home, RUN).read_text().endswith("no space left\n")


def test_an_interrupted_cell_saves_and_goes_on_from_what_came_home(home: Path) -> None:
    long, interrupted = job(home, "long"), threading.Event()

    def report(line: str) -> None:
        if "cwd" in line and not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt  # as Ray cancels a task

    result = remote.run(long, 1, report)
    assert result.code == 143
    remote.save_files(long, result, home)
    assert content(home)[CHECKPOINT] == b"half"
    again = job(home, "long")
    assert CHECKPOINT in again.files
    result = remote.run(again, 1, print)
    remote.save_files(again, result, home)
    assert set(content(home)) == {WEIGHTS, LOG}, "a checkpoint that was used up is gone at home, too"
    assert content(home)[WEIGHTS] == b"weightshalf"
    assert log_of(home, RUN).read_text().count("cwd") == 2, "no attempt's log is lost"


def test_what_home_knows_of_the_run_is_sent_and_nothing_of_other_runs(home: Path) -> None:
    own = {OWN: a_record(RUN), WEIGHTS: b"w", CHECKPOINT: b"c", FAILURE: b"f", BASELINE: a_record("f", family="data")}
    others = {"records/o.json": a_record("o"), "runs/o/final.ckpt": b"", LOG: b"", f"pictures/{RUN}/samples.png": b""}
    put(home, own | others)
    assert job(home).files == own


def test_a_transfer_that_breaks_off_leaves_no_record(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record without its weights could never be evaluated further."""
    write = write_bytes

    def full(target: Path, content: bytes) -> None:
        if target.suffix == ".ckpt":
            raise OSError(28, "No space left on device")
        write(target, content)

    monkeypatch.setattr(remote, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        remote.save_files(job(home), RemoteResult(0, 1.0, {OWN: a_record(RUN), WEIGHTS: b"weights"}), home)
    assert not (home / OWN).exists()


def test_references_at_home_are_kept_the_runs_record_is_renewed_and_its_failure_goes(home: Path) -> None:
    put(home, {BASELINE: a_record("f", "at home", "data"), OWN: a_record(RUN, "old"), FAILURE: b"f"})
    new = "records/held-out-mnist-1.json"
    files = {BASELINE: a_record("f", "away", "data"), OWN: a_record(RUN, "new"), new: a_record("g", family="data")}
    remote.save_files(job(home), RemoteResult(0, 1.0, files), home)
    assert content(home) == {**files, BASELINE: a_record("f", "at home", "data")}


def test_a_run_sees_the_gpus_that_ray_gave_it_and_none_that_it_did_not_ask_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert remote.variables(job(home, gpu=True), 2) == {"BENCH_JOBS": "2", "CUDA_VISIBLE_DEVICES": "3,5"}
    assert remote.variables(job(home), 2) == {"BENCH_JOBS": "2", "CUDA_VISIBLE_DEVICES": ""}


def test_without_ray_the_executor_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "bench.sweep.ray", raising=False)
    with pytest.raises(ConfigError, match="pip install ray"):
        importlib.import_module("bench.sweep.ray")
