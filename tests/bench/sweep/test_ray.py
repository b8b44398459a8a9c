"""A sweep's cells on a Ray cluster of this machine: the same records as here, whatever the cluster loses."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results.identity import run_id
from bench.sweep.executor import Cell, Outcome
from bench.sweep.logs import log_of

ray = pytest.importorskip("ray", reason="an extra: pip install ray")
from ray.cluster_utils import Cluster  # noqa: E402

from bench.sweep.ray import RayExecutor, cores_per_run, run  # noqa: E402

# In the place of `bench train`: says that it began, and if its first argument says so waits, fails, or saves its state.
STUB = """
import os, signal, sys, time
from pathlib import Path
run = Path(sys.argv[-1].removeprefix("results="), "runs", sys.argv[1])
run.mkdir(parents=True, exist_ok=True)
begun = Path(os.environ["BEGUN"], f"{sys.argv[1]}-{time.time_ns()}")

def stop(number, frame):
    (run / "state").write_text("saved")
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, stop)
print("waits", flush=True)
begun.write_text(str(os.getpid()))
if sys.argv[1] == "fail":
    sys.exit("no space left")
while sys.argv[1] == "long" and not (run / "state").exists() and not Path(os.environ["BEGUN"], "go").exists():
    time.sleep(0.1)
(run / "final.ckpt").write_bytes(os.urandom(2**20))
"""
POINTS = (  # the cheapest run there is: no images, no extractor
    "model=vae", "data=ring_8", "preset=smoke", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4",
    "trainer.accelerator=cpu", "train.images=640",
)  # fmt: skip
PATIENCE = 200  # seconds for what takes a few on an idle machine
ONE_CORE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def ended(executor: RayExecutor, count: int) -> dict[str, Outcome]:
    found: list[Outcome] = []
    until(lambda: found.extend(executor.new_outcomes()) or len(found) >= count)
    assert len(found) == count
    return {outcome.cell.name: outcome for outcome in found}


@contextmanager
def cluster(**head: object) -> Iterator[Cluster]:
    """A cluster of several machines, which all are this one."""
    machines = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **head})
    try:
        yield machines
    finally:
        ray.shutdown()
        machines.shutdown()


def cell(name: str) -> Cell:
    return Cell(name, (name,), name, 1)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Path]]:
    """The attempts of a cell by its name, a file each with the cell's process id."""
    folder = tmp_path / "begun"
    folder.mkdir()
    monkeypatch.setenv("BEGUN", str(folder))
    return lambda name: sorted(folder.glob(f"{name}-*"))


def stubbed(executor: RayExecutor, folder: Path) -> RayExecutor:
    """An executor whose cells run STUB."""
    stub = folder / "stub.py"
    stub.write_text(STUB)
    command, task = [sys.executable, str(stub)], run

    def run_stub(*given: Any) -> Any:
        from bench.sweep import worker

        worker.COMMAND = command
        return task(*given)

    executor.remote_run = ray.remote(run_stub)
    return executor


@pytest.mark.slow
def test_what_cells_leave_comes_home_and_a_failure_stops_nothing(
    tmp_path: Path, begun: Callable[[str], list[Path]]
) -> None:
    home = tmp_path / "home"
    with cluster(num_cpus=1) as machines:
        machines.add_node(**ONE_CORE)
        executor = stubbed(RayExecutor(machines.address, 0, home, cpus=1), tmp_path)
        for name in ("fail", "long", "a", "b"):
            executor.start(cell(name))
        until(lambda: executor.last_line(cell("long")) == "waits")
        assert cell("long") in executor.running_cells()
        (tmp_path / "begun" / "go").touch()
        outcomes = ended(executor, 4)
    assert {name: outcome.code for name, outcome in outcomes.items()} == {"fail": 1, "long": 0, "a": 0, "b": 0}
    assert len(begun("fail")) == 1, "a cell that fails by itself is not run again"
    assert outcomes["fail"].log.read_text().endswith("waits\nno space left\n")
    assert all((home / "runs" / name / "final.ckpt").stat().st_size == 2**20 for name in ("long", "a", "b"))


@pytest.mark.slow
def test_a_cell_of_a_lost_machine_is_run_again_at_another_and_its_process_ends(
    tmp_path: Path, begun: Callable[[str], list[Path]]
) -> None:
    with cluster(num_cpus=0) as machines:
        lost = machines.add_node(**ONE_CORE)
        executor = stubbed(RayExecutor(machines.address, 0, tmp_path / "home", cpus=1), tmp_path)
        executor.start(cell("long"))
        until(lambda: len(begun("long")) == 1)
        machines.add_node(**ONE_CORE)
        machines.remove_node(lost, allow_graceful=False)
        until(lambda: len(begun("long")) == 2)
        until(lambda: not alive(begun("long")[0]))
        (tmp_path / "begun" / "go").touch()
        (outcome,) = ended(executor, 1).values()
    assert outcome.code == 0
    assert (tmp_path / "home/runs/long/final.ckpt").exists()


@pytest.mark.slow
def test_a_stopped_cell_has_saved_and_goes_on(tmp_path: Path, begun: Callable[[str], list[Path]]) -> None:
    """A cell that waits is never begun."""
    home = tmp_path / "home"
    with cluster(num_cpus=1) as machines:
        executor = stubbed(RayExecutor(machines.address, 0, home, cpus=1), tmp_path)
        executor.start(cell("long"))
        until(lambda: begun("long"))
        executor.start(cell("waits"))
        executor.stop()
        assert not executor.tasks
        assert (home / "runs/long/state").read_text() == "saved"
        assert not begun("waits")
        executor.start(cell("long"))
        assert [outcome.code for outcome in ended(executor, 1).values()] == [0]
    assert (home / "runs/long/final.ckpt").exists()
    assert log_of(home, "long").read_text().count("waits") == 2


@pytest.mark.slow
def test_nothing_runs_on_when_the_sweep_is_killed(tmp_path: Path, begun: Callable[[str], list[Path]]) -> None:
    """A cluster that was started for the sweep ends with it, and so do the cells."""
    (tmp_path / "stub.py").write_text(STUB)
    script = f"""
import time
from pathlib import Path
import ray
from bench.sweep.executor import Cell
from bench.sweep.ray import RayExecutor, run
def stub(*given):
    from bench.sweep import worker
    worker.COMMAND = {[sys.executable, str(tmp_path / "stub.py")]!r}
    return run(*given)
executor = RayExecutor(None, 0, Path({str(tmp_path / "home")!r}), cpus=1)
executor.remote_run = ray.remote(stub)
executor.start(Cell("long", ("long",), "long", 1))
time.sleep(1000)
"""
    driver = subprocess.Popen([sys.executable, "-c", script])
    until(lambda: begun("long"))
    driver.kill()
    driver.wait()
    until(lambda: not alive(begun("long")[0]))


def alive(attempt: Path) -> bool:
    """Whether the process of an attempt still runs."""
    try:
        os.kill(int(attempt.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_run_on_ray_is_recorded_as_by_bench_train(
    tmp_path: Path, figures: Callable[[Path], dict[tuple[str, str, str], float]],
    weights: Callable[[Path], dict[str, torch.Tensor]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home, here = tmp_path / "home", tmp_path / "here"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    subprocess.run([sys.executable, "-m", "bench", "train", *POINTS, f"results={here}"], check=True)
    (config,) = load(POINTS)
    name = run_id(config)
    with cluster(num_cpus=1) as machines:
        executor = RayExecutor(machines.address, 0, home, cpus=1)
        executor.start(Cell(name, (*POINTS, f"results={home}"), name, 1))
        (outcome,) = ended(executor, 1).values()
    assert outcome.code == 0
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    for key, value in weights(here).items():
        assert torch.equal(weights(home)[key], value), key
    files = {str(file.relative_to(here)) for file in here.rglob("*") if file.is_file() and "locks" not in file.parts}
    assert files <= {str(file.relative_to(home)) for file in home.rglob("*")}


@pytest.mark.parametrize("gpus", [-1, 1.5])
def test_gpus_that_cannot_be_asked_for_are_refused(gpus: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose 0, a fraction of 1, or a whole number"):
        RayExecutor(None, gpus, tmp_path)


@pytest.mark.parametrize(
    ("address", "why"), [("127.0.0.1:1", "Connection refused"), ("auto", "not find any running"), ("x", "HOST:PORT")]
)
def test_a_cluster_that_is_not_there_is_one_sentence(
    address: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match=rf"--address={address}: no Ray cluster could be reached .*{why}.*ray start"):
        RayExecutor(address, 0, tmp_path)


@pytest.mark.slow
def test_a_run_that_no_machine_can_hold_is_one_sentence(tmp_path: Path) -> None:
    try:
        with pytest.raises(
            ConfigError, match=r"devices=1, --gpus=64: no machine of the cluster has the 1 cores and 64 GPUs"
        ):
            RayExecutor(None, 64, tmp_path).start(cell("a"))
    finally:
        ray.shutdown()


@pytest.mark.parametrize(
    ("machines", "gpus", "devices", "expected"),
    [
        ([{"CPU": 8}, {"CPU": 2}, {}], 0, 1, 1),
        ([{"CPU": 8}, {"CPU": 2}, {}], 0, 2, 2),
        ([{"CPU": 64, "GPU": 8}, {"CPU": 16}], 1, 1, 8),
        ([{"CPU": 64, "GPU": 8}, {"CPU": 8, "GPU": 2}], 0.5, 1, 2),
        ([{"CPU": 64, "GPU": 8}, {"CPU": 8, "GPU": 2}], 4, 4, 32),
        ([{"CPU": 2, "GPU": 8}], 1, 1, 1),
        ([], 0, 1, 1),
    ],
)
def test_a_run_gets_the_cores_that_belong_to_its_gpus(
    machines: list[dict[str, float]], gpus: float, devices: int, expected: int
) -> None:
    assert cores_per_run(machines, gpus, devices) == expected
