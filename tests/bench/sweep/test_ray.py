"""A sweep's cells on a Ray cluster of this machine: the same records as here, whatever the cluster loses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results import records
from bench.results.identity import run_id
from bench.sweep.executor import Cell, Outcome

ray = pytest.importorskip("ray", reason="an extra: pip install ray")
from ray.cluster_utils import Cluster  # noqa: E402

from bench.sweep.ray import RayExecutor, cores  # noqa: E402

POINTS = (  # the cheapest run there is: no images, no extractor
    "model=vae", "data=ring_8", "preset=smoke", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4",
    "trainer.accelerator=cpu",
)  # fmt: skip
SHORT, LONG = "train.images=640", "train.images=200_000"
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
Figures = Callable[[Path], dict[tuple[str, str, str], float]]
Weights = Callable[[Path], dict[str, torch.Tensor]]
PATIENCE = 400  # seconds for what takes a few on an idle machine
ONE_CORE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


def cell(results: Path, *more: str) -> Cell:
    words = (*POINTS, *more, f"results={results}")
    (config,) = load(words)
    return Cell(run_id(config), words, (run_id(config),), 1)


def run_here(results: Path, *more: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert main(["train", *cell(results, *more).words]) == 0
    torch.set_num_threads(threads)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def in_training(folder: Path) -> None:
    """Wait until a log somewhere below `folder` says that a training begins, and a little longer."""
    until(lambda: any("images, 32-true" in log.read_text() for log in folder.glob("**/sweeps/logs/*.log")))
    time.sleep(4)


def ended(executor: RayExecutor, count: int) -> dict[str, Outcome]:
    found: list[Outcome] = []
    until(lambda: found.extend(executor.finished()) or len(found) >= count)
    assert len(found) == count
    return {outcome.cell.name: outcome for outcome in found}


@contextmanager
def cluster(**head: object) -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **head})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@contextmanager
def far_machine(address: str, home: Path, user: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node with mounts and processes of its own: the sweep's folder is empty there, and a kill ends all at once."""
    hide = f"mount -t tmpfs none {home} && mount -t tmpfs none /tmp/ray && mkdir -p {user}"
    start = f"{sys.executable} -m ray.scripts.scripts start --address={address} --num-cpus=1 --block"
    before = alive()
    machine = subprocess.Popen(
        [*OWN_MOUNTS, "sh", "-c", f"{hide} && exec {start}"], env={**os.environ, "HOME": str(user)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: alive() > before or machine.poll() is not None)
        assert machine.poll() is None
        yield machine
    finally:
        machine.kill()
        machine.wait()


def alive() -> int:
    return sum(node["Alive"] for node in ray.nodes())


@pytest.fixture
def own_mounts() -> None:
    try:
        subprocess.run([*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mounts of their own for processes here (unshare)")


@pytest.mark.slow
def test_two_machines_that_see_home_record_what_one_does_alone(tmp_path: Path, figures: Figures) -> None:
    """And a run that fails by itself is not run again, and holds up no other."""
    home, here = tmp_path / "home", tmp_path / "here"
    for seed in range(3):
        run_here(here, SHORT, f"seed={seed}")
    with cluster(num_cpus=1) as two:
        two.add_node(**ONE_CORE)
        executor = RayExecutor(two.address, 0, home, cpus=1)
        wrong = cell(home, SHORT, "model.learning_rate=1e30")
        cells = [wrong, *(cell(home, SHORT, f"seed={seed}") for seed in range(3))]
        for one in cells:
            executor.start(one)
        until(lambda: len(executor.running()) == 2)
        assert {executor.said(one)[:3] for one in cells} <= {"on ", ""}
        outcomes = ended(executor, 4)
    assert {name: outcome.code for name, outcome in outcomes.items()} == {
        one.name: 2 if one is wrong else 0 for one in cells
    }
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    said = outcomes[wrong.name].log.read_text()
    assert said.count("on ") >= 1
    assert said.count(", 1 threads") == 1
    assert "a lower model.learning_rate may help" in said
    assert all(outcome.seconds < 120 for outcome in outcomes.values())


@pytest.mark.slow
@pytest.mark.usefixtures("own_mounts")
def test_records_come_home_from_a_machine_that_does_not_see_it(tmp_path: Path, figures: Figures) -> None:
    home, here, user = tmp_path / "home", tmp_path / "here", tmp_path / "user"
    for seed in range(2):
        run_here(here, SHORT, f"seed={seed}")
    with cluster(num_cpus=0) as two:
        executor = RayExecutor(two.address, 0, home, cpus=1)
        with far_machine(two.address, home, user):
            for seed in range(2):
                executor.start(cell(home, SHORT, f"seed={seed}"))
            outcomes = ended(executor, 2)
            (there,) = user.glob(".cache/generative-trilemma/sweeps/*")
            until(lambda: not list(there.glob("records/vae-*")))  # what has come home is forgotten there
    assert [outcome.code for outcome in outcomes.values()] == [0, 0]
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    for name in outcomes:
        assert "recorded:" in outcomes[name].log.read_text()
        assert (home / "pictures" / name / "samples.png").exists()
        record = records.find(home, name)
        assert record is not None
        assert record.config["results"] == str(home)
        kept, expected = (torch.load(at / "runs" / name / "final.ckpt", weights_only=True) for at in (home, here))
        for key, value in expected["state_dict"].items():
            assert torch.equal(kept["state_dict"][key], value), key


@pytest.mark.slow
def test_a_cell_of_a_lost_machine_goes_on_at_another(tmp_path: Path, figures: Figures, weights: Weights) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    run_here(here, LONG)
    with cluster(num_cpus=0) as two:
        lost = two.add_node(**ONE_CORE)
        executor = RayExecutor(two.address, 0, home, cpus=1)
        long = cell(home, LONG)
        executor.start(long)
        in_training(home)
        two.add_node(**ONE_CORE)
        two.remove_node(lost, allow_graceful=False)
        (outcome,) = ended(executor, 1).values()
    assert outcome.code == 0
    assert outcome.log.read_text().count(", 1 threads") == 2
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    for name, value in weights(here).items():
        assert torch.equal(weights(home)[name], value), name


@pytest.mark.slow
@pytest.mark.usefixtures("own_mounts")
def test_a_cell_of_a_lost_machine_that_shared_nothing_is_run_again(tmp_path: Path, figures: Figures) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    run_here(here, LONG)
    with cluster(num_cpus=0) as three:
        executor = RayExecutor(three.address, 0, home, cpus=1)
        long = cell(home, LONG)
        with far_machine(three.address, home, tmp_path / "first") as first:
            executor.start(long)
            in_training(tmp_path / "first")
            with far_machine(three.address, home, tmp_path / "second"):
                first.kill()
                (outcome,) = ended(executor, 1).values()
    assert outcome.code == 0
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    assert len(list((home / "records").glob("vae-*"))) == 1


@pytest.mark.slow
def test_a_stopped_cell_has_saved_and_goes_on(tmp_path: Path, figures: Figures, weights: Weights) -> None:
    """What waits is never begun; the same cells again end as the undisturbed ones."""
    home, here = tmp_path / "home", tmp_path / "here"
    run_here(here, LONG)
    with cluster(num_cpus=1) as one:
        executor = RayExecutor(one.address, 0, home, cpus=1)
        long, waits = cell(home, LONG), cell(home, SHORT)
        executor.start(long)
        in_training(home)
        executor.start(waits)
        executor.stop()
        assert "resumes from there" in (home / "sweeps" / "logs" / f"{long.name}.log").read_text()
        assert list(home.glob("runs/*/checkpoints/*.ckpt"))
        assert not (home / "sweeps" / "logs" / f"{waits.name}.log").exists()
        executor.start(long)
        assert [outcome.code for outcome in ended(executor, 1).values()] == [0]
    assert figures(home) == pytest.approx(figures(here), rel=1e-9)
    for name, value in weights(here).items():
        assert torch.equal(weights(home)[name], value), name


@pytest.mark.slow
def test_the_driver_killed_leaves_a_checkpoint(tmp_path: Path) -> None:
    """A cluster started for the sweep ends with it, and its runs save before they do."""
    long = cell(tmp_path, LONG)
    script = f"""
import time
from pathlib import Path
from bench.sweep.executor import Cell
from bench.sweep.ray import RayExecutor
executor = RayExecutor(None, 0, Path({str(tmp_path)!r}), cpus=1)
executor.start({long!r})
time.sleep(1000)
"""
    log = tmp_path / "sweeps" / "logs" / f"{long.name}.log"
    driver = subprocess.Popen([sys.executable, "-c", script])
    in_training(tmp_path)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    until(lambda: "resumes from there" in log.read_text())
    assert list(tmp_path.glob("runs/*/checkpoints/*.ckpt"))


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
            RayExecutor(None, 64, tmp_path).start(cell(tmp_path, SHORT))
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
    assert cores(machines, gpus, devices) == expected
