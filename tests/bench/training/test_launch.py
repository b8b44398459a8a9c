"""Jobs of several processes, as users start them: equal to one process, and ended when a rank is lost."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from bench.cli.main import main
from bench.config.schema import ConfigError, Trainer
from bench.training.launch import cluster, launch

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="gloo jobs are tried on Unix")
Words = Callable[..., list[str]]
BENCH = [sys.executable, "-m", "bench.cli.main"]
SAYS_ITS_LAST_THREADS = """
import atexit, glob
atexit.register(lambda: print("last threads", [open(name).read() for name in glob.glob("/proc/self/task/*/comm")]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where jobs have their results and caches."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def words(home: Path, digits: Path, tiny: dict[str, list[str]]) -> Callable[..., list[str]]:
    """`bench train`'s words for a cheap model into a folder of home."""

    def words(model: str, results: str, *more: str) -> list[str]:
        return [
        "train", f"model={model}", "preset=smoke", "data=image_folder", f"data.root={digits}", "data.size=28",
        "evaluation.extractor=mnist-cnn", f"results={home / results}", "trainer.accelerator=cpu",
        "train.images=640", "train.batch=32", "evaluation.samples=48", "evaluation.chunk=16",
        "evaluation.timed_images=4", "trainer.precision=32-true", *tiny[model], *more,
        ]  # fmt: skip

    return words


def start(home: Path, *command: str, **more: str) -> subprocess.Popen[str]:
    """A job in a session of its own, one thread a process so that sums have one order."""
    environment = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1", **more}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def finish(job: subprocess.Popen[str], seconds: float = 120) -> str:
    """All that the job says; its whole session ends with the test."""
    try:
        return job.communicate(timeout=seconds)[0]
    finally:
        with_group(job, signal.SIGKILL)


def with_group(job: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, number)


def record(results: Path, model: str) -> dict:
    (file,) = (results / "records").glob(f"{model}-*.json")
    return json.loads(file.read_text())


def figures(results: Path, model: str) -> list[dict]:
    return [result["metrics"] for result in record(results, model)["results"].values()]


@pytest.fixture
def alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], None]]:
    """Runs a command in this process, with one thread and the jobs' caches."""
    monkeypatch.setattr("bench.runs.context.CACHE", home / ".cache" / "generative-trilemma")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(command: list[str]) -> None:
        assert main(command) == 0

    yield run
    torch.set_num_threads(threads)


@pytest.mark.slow  # two processes that import torch; tests/bench/evaluation/test_distributed.py has the figures
def test_two_ranks_judge_the_same_weights_to_the_same_bits(
    home: Path, words: Words, alone: Callable[[list[str]], None]
) -> None:
    """Samples, figures and pictures; the abilities and pictures that one rank measures are there once."""
    alone(words("vae", "one"))
    whole = record(home / "one", "vae")
    shutil.copytree(home / "one", home / "two")
    shutil.rmtree(home / "two" / "pictures")
    (file,) = (home / "two" / "records").glob("vae-*.json")
    file.write_text(json.dumps(whole | {"results": {}, "abilities": {}}))
    (home / "sitecustomize.py").write_text(SAYS_ITS_LAST_THREADS)
    said = finish(start(home, *BENCH, *words("vae", "two", "trainer.devices=2"), PYTHONPATH=str(home)))
    assert said.count("recorded:") == 1, said
    assert said.count("last threads") == 2, said
    assert "gloo" not in said, said  # such a thread aborts a Python that is about to end
    assert figures(home / "two", "vae") == figures(home / "one", "vae")
    assert record(home / "two", "vae")["abilities"] == whole["abilities"]
    drawn = sorted(file.relative_to(home / "one") for file in (home / "one" / "pictures").rglob("*.png"))
    assert drawn
    for picture in drawn:
        assert (home / "two" / picture).read_bytes() == (home / "one" / picture).read_bytes(), picture


@pytest.mark.slow  # five processes that import torch
def test_two_torchrun_agents_are_two_nodes_and_train_like_one_process(
    home: Path, words: Words, alone: Callable[[list[str]], None]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    jobs = [
        start(
            home, sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
            f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "bench.cli.main",
            *words("vqvae", "nodes", "trainer.num_nodes=2"),
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = [finish(job) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], "\n".join(text[-4000:] for text in said)
    assert sum(text.count("recorded:") for text in said) == 1, said
    alone(words("vqvae", "node"))
    one, two = (record(home / results, "vqvae") for results in ("node", "nodes"))
    assert (one["hardware"]["processes"], two["hardware"]["processes"]) == (1, 2)
    assert (one["run_id"], one["images_seen"]) == (two["run_id"], two["images_seen"])
    for name, value in figures(home / "node", "vqvae")[0].items():  # equal but for the order of sums
        assert figures(home / "nodes", "vqvae")[0][name] == pytest.approx(value, rel=0.02, abs=0.02), name


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_the_job_within_a_minute(home: Path, words: Words, rank: int) -> None:
    job = start(home, *BENCH, *words("gan", f"killed-{rank}", "trainer.devices=2", "train.images=3200000"))
    assert job.stdout
    for line in job.stdout:
        if "3,200,000 images" in line:
            break
    time.sleep(2)
    ranks = [job.pid, *children(job.pid)]
    assert len(ranks) == 2
    os.kill(ranks[rank], signal.SIGKILL)
    killed = time.monotonic()
    while any(alive(pid) for pid in ranks) and time.monotonic() - killed < 60:
        job.poll()
        time.sleep(0.2)
    left = [pid for pid in ranks if alive(pid)]
    out = finish(job)
    assert not left, out
    assert job.returncode != 0
    assert not list((home / f"killed-{rank}").glob("records/gan-*"))


@pytest.mark.slow  # two processes that import torch; tests/bench/runs/test_run.py has the same of two threads
def test_two_commands_at_the_same_run_train_it_once(home: Path, words: Words) -> None:
    jobs = [start(home, *BENCH, *words("ae", "both", "train.images=6400")) for _ in range(2)]
    said = [finish(job) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert sorted("nothing to do" in text for text in said) == [False, True], said
    assert sum("working on it" in text for text in said) >= 1, said
    names = sorted(file.name.split("-")[0] for file in (home / "both" / "records").iterdir())
    assert names == ["ae", "class", "held", "one"]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_batch_that_ranks_cannot_share_is_refused_with_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "model=vae", "train.batch=64", "trainer.devices=3"]) == 2
    assert "train.batch=64: cannot be divided among 3 processes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "launcher",
    [
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
        {
            "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
            "SLURM_NODEID": "0", "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0",
        },
    ],
    ids=["torchrun", "slurm"],
)  # fmt: skip
def test_a_launcher_that_started_another_number_of_processes_is_refused(
    launcher: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, value in launcher.items():
        monkeypatch.setenv(key, value)
    assert main(["train", "model=vae", "preset=smoke"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "trainer.devices=1 on trainer.num_nodes=1: 1 processes, but the launcher has started 2" in said


ALLOCATION = {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train"}
STEP = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_STEP_ID": "0"}
ALONE = Trainer(accelerator="cpu", devices=1, num_nodes=1, precision="auto")
BOTH = Trainer(accelerator="cpu", devices=2, num_nodes=1, precision="auto")


def test_one_process_in_an_allocation_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in ALLOCATION.items():
        monkeypatch.setenv(key, value)
    launch(ALONE)
    (plugin,) = cluster()
    assert isinstance(plugin, LightningEnvironment)
    assert (plugin.world_size(), plugin.global_rank()) == (1, 0)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (ALLOCATION, "inside a SLURM allocation srun starts the processes; write srun before the command"),
        (ALLOCATION | STEP | {"SLURM_STEP_ID": "4294967291"}, "srun starts the processes"),  # a job's script
        (ALLOCATION | STEP, "--ntasks-per-node=2"),
        (ALLOCATION | STEP | {"SLURM_NTASKS": "3"}, "2 processes, but the launcher has started 3"),
        (ALLOCATION | STEP | {"SLURM_NTASKS": "two"}, "SLURM_NTASKS=two: not a number"),
    ],
)
def test_slurm_without_what_ranks_need_is_one_sentence_at_once(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError) as error:
        launch(BOTH)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_program_without_a_file_starts_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("-c", "-", ""):
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
        with pytest.raises(ConfigError, match="`python -c` or standard input has none"):
            launch(BOTH)
    monkeypatch.setattr(sys, "ps1", ">>>", raising=False)
    with pytest.raises(ConfigError, match=r"num_nodes=1: a notebook or an interactive session is one process"):
        launch(BOTH)


def test_a_training_in_a_thread_ends_well(tmp_path: Path) -> None:
    """Python lets only the main thread handle signals."""
    words = [
        "model=vae", "preset=smoke", "data=ring_8", "train.images=64", "train.batch=32", "evaluation.samples=64",
        "evaluation.timed_images=4", "trainer.accelerator=cpu", f"results={tmp_path}",
    ]  # fmt: skip
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(main(["train", *words])))
    thread.start()
    thread.join()
    assert status == [0]
