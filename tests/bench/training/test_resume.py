"""A training that is stopped, killed or damaged, and resumed, ends as one that was left alone, to the bit."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import models.base
from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results import records
from bench.results.identity import run_id
from bench.runs.build import build_data, build_model
from bench.training import callbacks, fit, resume
from bench.training.callbacks import Diverged
from bench.training.checkpoints import WholeFiles, check, newest_first
from datamodules.base import ImageDataModule, split_indices
from models import MODELS
from models.base import GenerativeModel

BUDGET = ["preset=smoke", "trainer.accelerator=cpu", "train.images=160", "train.batch=8"]
POINTS = [40, 80, 120, 160]  # images seen at the points of the curves
Tiny = dict[str, list[str]]
Train = Callable[..., records.Record]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Curves with points in so short a training, and results folders in the test's own folder."""
    for module in (models.base, callbacks, fit):
        monkeypatch.setattr(module, "LOG_EVERY", 5)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def data() -> ImageDataModule:
    return build_data(load(["model=vae", *BUDGET])[0])


@pytest.fixture
def train(data: ImageDataModule, tiny: Tiny) -> Train:
    """The training of `bench train` alone, into a results folder below the working folder."""

    def train(model: str, results: str) -> records.Record:
        (config,) = load([f"model={model}", f"results={results}", *BUDGET, *tiny[model]])
        folder = Path(results) / "runs" / run_id(config)
        return fit.train(config, build_model(config, data.image_shape), data, folder)

    return train


def weights(results: str | Path) -> dict[str, torch.Tensor]:
    (file,) = Path(results).glob("runs/*/final.ckpt")
    return torch.load(file, weights_only=True)["state_dict"]


def same(one: str | Path, other: str | Path) -> bool:
    """Whether two results folders hold the same weights, curves and images seen, to the bit."""
    expected, found = weights(one), weights(other)
    (whole,), (resumed,) = (records.read_all(Path(results)) for results in (one, other))
    return (
        expected.keys() == found.keys()
        and all(torch.equal(value, found[name]) for name, value in expected.items())
        and whole.curves == resumed.curves
        and whole.curves["images_seen"] == POINTS
        and whole.images_seen == resumed.images_seen == 160
    )


def at_images(monkeypatch: pytest.MonkeyPatch, images: int, happen: Callable[[], object]) -> list[int]:
    """Let something happen when the batch begins that brings the images seen to `images`; the images seen so far."""
    start, seen = GenerativeModel.on_train_batch_start, []

    def planted(self: GenerativeModel, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        start(self, batch, batch_idx)
        seen.append(self.images_seen)
        if self.images_seen == images:
            happen()

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", planted)
    return seen


def stop(number: signal.Signals = signal.SIGINT) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


def stopped_at(train: Train, images: int, model: str = "vae", number: signal.Signals = signal.SIGINT) -> list[Path]:
    """Stop a training into broken/ there; its checkpoints, newest first."""
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, images, stop(number))
        with pytest.raises(fit.Interrupted, match=f"stopped after {images} of 160 images"):
            train(model, "broken")
    return newest_first(next(Path("broken").glob("runs/*/checkpoints")))


@pytest.mark.parametrize(
    ("model", "number"), [*((model, signal.SIGINT) for model in MODELS), ("vae", signal.SIGTERM)], ids=str
)
def test_a_stopped_training_ends_as_the_one_left_alone(train: Train, model: str, number: signal.Signals) -> None:
    """The order of images, noise, optimizers, schedules, averages, codebooks: a loss of any shows in the weights."""
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    train(model, "whole")
    (checkpoint,) = stopped_at(train, 88, model, number)
    assert checkpoint.name == "000000000088.ckpt"
    assert records.read_all(Path("broken")) == []
    train(model, "broken")
    assert same("whole", "broken")
    assert not checkpoint.exists(), "a finished run needs none"
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_the_same_command_after_ctrl_c_records_the_same_figures(
    small_mnist: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "model=gan", *BUDGET, *tiny["gan"], "evaluation.samples=64", "evaluation.timed_images=4"]
    assert main([*words, "results=whole"]) == 0
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, 88, stop())
        assert main([*words, "results=broken"]) == 130
    assert "88 of 160" in capsys.readouterr().err
    assert main([*words, "results=broken"]) == 0
    figures = [
        [result.metrics for one in records.read_all(Path(results)) for result in one.results.values()]
        for results in ("whole", "broken")
    ]
    assert figures[0] == figures[1]
    assert all(torch.equal(value, weights("broken")[name]) for name, value in weights("whole").items())


FOLDER = ["data=image_folder", "data.size=28", "evaluation.extractor=mnist-cnn", "evaluation.samples=32"]


def test_a_training_does_not_go_on_with_other_images(
    digits: Path, small_mnist: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another root, and a file that changed in between; the same images from another place are the same."""
    words = ["train", "model=vae", "results=r", *FOLDER, *BUDGET, *tiny["vae"], "evaluation.timed_images=4"]
    moved, changed = (Path(shutil.copytree(digits, small_mnist / name)) for name in ("moved", "changed"))
    first, *_ = split_indices(600)[0].tolist()  # of the images that are trained on
    Image.new("L", (28, 28)).save(changed / f"{first:03}.png")
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, 88, stop())
        assert main([*words, f"data.root={digits}"]) == 130
    (checkpoint,) = Path("r").rglob("0*.ckpt")
    capsys.readouterr()
    assert main([*words, f"data.root={changed}"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"bench: {checkpoint}: was trained on other images (sha256 ")
    assert f"delete {checkpoint.parent} or choose another results=DIR to train from the start" in said
    assert checkpoint.exists()
    assert main([*words, f"data.root={moved}"]) == 0
    assert f"resumes from 88 of 160 images: {checkpoint}" in capsys.readouterr().err


def test_a_training_does_not_go_on_in_another_precision(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """'auto' is bfloat16 on one machine and float32 on another, under one run_id."""
    monkeypatch.setattr(fit, "resolve_precision", lambda config: "32-true")
    stopped_at(train, 88)
    monkeypatch.setattr(fit, "resolve_precision", lambda config: "bf16-mixed")
    with pytest.raises(ConfigError, match="was trained in 32-true, but trainer.precision is bf16-mixed here"):
        train("vae", "broken")


def test_a_checkpoint_that_says_nothing_of_its_data_is_not_gone_on_from(train: Train) -> None:
    (checkpoint,) = stopped_at(train, 88)
    state = torch.load(checkpoint, weights_only=True)
    del state["callbacks"]["Origin"]
    torch.save(state, checkpoint)
    with pytest.raises(ConfigError, match=f"^{checkpoint}: does not state the images"):
        train("vae", "broken")


def test_other_code_is_said_and_the_record_names_all_that_trained(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train("vae", "whole")
    first, second = {"commit": "1" * 40, "clean": True}, {"commit": "2" * 40, "clean": True}
    monkeypatch.setattr(resume, "code_version", lambda: first)
    stopped_at(train, 88)
    stopped_at(train, 120)
    monkeypatch.setattr(resume, "code_version", lambda: second)
    capsys.readouterr()
    code = train("vae", "broken").code
    said = capsys.readouterr().err
    assert "resumes from 120 of 160 images" in said
    assert "resumes under other code: 111111111111, now 222222222222; the record names both" in said
    (earlier,) = code.pop("earlier")
    assert (code, earlier["code"], earlier["images_seen"]) == (second, first, 0)
    assert same("whole", "broken")


def test_stretches_differ_by_code_sources_libraries_devices_and_processes() -> None:
    now = {"code": {"commit": "a", "clean": True}, "libraries": {"torch": "2"}, "device": "cpu", "processes": 1}
    now["threads"] = 2
    assert resume.changes(now | {"images_seen": 0}, now) == []
    for change, phrase in (
        ({"code": {"commit": "a", "clean": False, "sources": "5" * 64}}, "other code: a, now a with sources 55555555"),
        ({"libraries": {"torch": "3"}}, "another torch: 2, now 3"),
        ({"libraries": {"torch": "2", "numpy": "1"}}, "another numpy: none, now 1"),
        ({"device": "cuda"}, "another kind of device: cpu, now cuda"),
        ({"processes": 2}, "another number of processes: 1, now 2"),
        ({"threads": 1}, "another number of threads: 2, now 1"),
    ):
        assert resume.changes(now, now | change) == [phrase]


def test_a_resumed_training_computes_on_as_many_threads_as_before(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On another number of threads sums are added in another order; the environment may ask for it, and is named."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("bench.runtime.threads.os.cpu_count", lambda: 8)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        stopped_at(train, 88)
        torch.set_num_threads(1)
        stopped_at(train, 120)
        assert torch.get_num_threads() == 2
        assert "threads" not in capsys.readouterr().err
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        train("vae", "broken")
        assert torch.get_num_threads() == 1
        assert "another number of threads: 2, now 1" in capsys.readouterr().err
    finally:
        torch.set_num_threads(before)


def test_a_second_ctrl_c_stops_at_once(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    # a shell starts what it puts in the background with SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = at_images(monkeypatch, 88, lambda: (stop()(), stop()()))
    with pytest.raises(fit.Interrupted, match="stopped at once"):
        train("vae", "broken")
    assert seen[-1] == 88
    assert not list(Path("broken").rglob("*.ckpt"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_at_the_last_batch_leaves_nothing_but_the_evaluation(train: Train) -> None:
    train("vae", "whole")
    stopped_at(train, 160)
    with pytest.MonkeyPatch.context() as patched:
        seen = at_images(patched, 0, stop())
        train("vae", "broken")
    assert seen == []
    assert same("whole", "broken")


def test_seconds_of_the_training_add_up_over_stops(train: Train) -> None:
    (checkpoint,) = stopped_at(train, 88)
    state = torch.load(checkpoint, weights_only=True)
    before = state["callbacks"]["Timer"]["time_elapsed"]["train"]
    assert 0 < before < 60
    state["callbacks"]["Timer"]["time_elapsed"]["train"] = 1000 + before
    torch.save(state, checkpoint)
    assert 1000 + before < train("vae", "broken").train_seconds < 1060


def test_the_newest_two_checkpoints_are_kept(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    start, found = GenerativeModel.on_train_batch_start, []

    def look(self: GenerativeModel, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        found.append(sorted((int(file.stem) for file in Path("r").rglob("*.ckpt")), reverse=True))
        start(self, batch, batch_idx)

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", look)
    train("vae", "r")
    assert found == [[seen for seen in (8 * k, 8 * k - 8) if seen > 0] for k in range(20)]


def test_slurm_gets_no_checkpoint_of_lightnings_own(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning saves hpc_ckpt_N.ckpt in the midst of a batch on SIGUSR1, and loads any in the working folder."""
    for name, value in {"NTASKS": "1", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    torch.save({}, "hpc_ckpt_1.ckpt")
    handlers: list[object] = []
    at_images(monkeypatch, 88, lambda: handlers.append(signal.getsignal(signal.SIGUSR1)))
    assert train("vae", "r").images_seen == 160
    assert handlers == [signal.SIG_DFL]


class Malice:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path.cwd() / "executed"),)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_a_bit(file: Path) -> None:
    """Of the weights, which no structure of the file would betray."""
    content = bytearray(file.read_bytes())
    largest = max(torch.load(file, weights_only=True)["state_dict"].values(), key=torch.numel)
    place = content.find(largest.numpy().tobytes())
    content[place + 2] ^= 1
    file.write_bytes(content)
    torch.load(file, weights_only=True)


def plant_code(file: Path) -> None:
    state = torch.load(file, weights_only=True)
    torch.save(state | {"state_dict": Malice()}, file)


@pytest.mark.parametrize("damage", [cut, empty, flip_a_bit, plant_code])
def test_a_damaged_checkpoint_is_named_and_set_aside_and_the_one_before_used(
    damage: Callable[[Path], None], train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    train("vae", "whole")
    newest, older = stopped_at(train, 88)
    damage(newest)
    content = newest.read_bytes()
    seen = at_images(monkeypatch, 0, stop())
    train("vae", "broken")
    assert seen[0] == int(older.stem) + 8 == 88
    assert same("whole", "broken")
    assert not Path("executed").exists()
    assert newest.with_suffix(".damaged").read_bytes() == content
    assert newest.name in capsys.readouterr().err


def test_no_load_of_ours_runs_code_even_if_asked(small_mnist: Path) -> None:
    torch.save({"state_dict": Malice()}, "planted.ckpt")
    with pytest.raises(Exception, match="mkdir"):
        WholeFiles().load_checkpoint("planted.ckpt", weights_only=False)
    assert not Path("executed").exists()


def test_a_file_that_cannot_be_written_ends_the_training_and_harms_no_checkpoint(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's limit on the size of files stands for a full disk: a write fails after some of it."""
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    train("vae", "whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, 88, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard)))
        try:
            with pytest.raises(OSError, match="File too large"):
                train("vae", "broken")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (folder,) = Path("broken").glob("runs/*/checkpoints")
    assert [file.name for file in sorted(folder.iterdir())] == ["000000000072.ckpt", "000000000080.ckpt"]
    for file in folder.iterdir():
        check(file)
    train("vae", "broken")
    assert same("whole", "broken")


def test_a_diverged_training_is_recorded_as_failed_and_not_resumed(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    step: Callable[..., Any] = MODELS["vae"].training_step
    monkeypatch.setattr(
        MODELS["vae"], "training_step",
        lambda self, *batch: step(self, *batch) * (float("nan") if self.images_seen > 88 else 1),
    )  # fmt: skip
    with pytest.raises(Diverged, match="a lower model.learning_rate may help") as diverged:
        train("vae", "r")
    (failure,) = records.failures(Path("r"))
    assert failure.cause == str(diverged.value)
    assert failure.images_seen == 120
    assert failure.curves["images_seen"] == [40, 80]
    assert failure.curves["loss"][0] > 0
    assert not list(Path("r").rglob("*.ckpt"))
    assert records.read_all(Path("r")) == []

    monkeypatch.setattr(MODELS["vae"], "training_step", step)
    assert failure.run_id == train("vae", "r").run_id
    assert records.failures(Path("r")) == []


def test_weights_that_are_no_numbers_at_the_end_are_a_failure_too(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(self: GenerativeModel) -> None:
        next(self.parameters()).data.view(-1)[0] = float("inf")

    monkeypatch.setattr(GenerativeModel, "on_train_end", spoil)
    with pytest.raises(Diverged, match="the weights became NaN or infinite after 160 images"):
        train("vae", "r")
    (failure,) = records.failures(Path("r"))
    assert (failure.images_seen, failure.curves["images_seen"]) == (160, POINTS)
    assert not list(Path("r").rglob("*.ckpt"))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> tuple[Path, str]:
    """The results folders that killed.py leaves, and what it says."""
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, str(Path(__file__).parent / "killed.py"), str(folder)]
    words = ["model=vae", *BUDGET, *tiny["vae"], "trainer.precision=32-true"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed on Unix")
def test_a_training_killed_at_its_worst_moments_ends_as_the_one_left_alone(processes: tuple[Path, str]) -> None:
    """In a batch, in the midst of writing a checkpoint, the final weights, the record; and started again each time."""
    folder, _ = processes
    assert same(folder / "whole", folder / "killed")
    files = [{file.name for file in (folder / name).rglob("*")} for name in ("whole", "killed")]
    assert files[0] == {name for name in files[1] if not name.startswith(".vae-")}  # of the killed record


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gloo jobs are tried on Unix")
def test_a_signal_to_one_rank_stops_both_and_the_resumed_training_ends_as_the_one_left_alone(
    processes: tuple[Path, str],
) -> None:
    folder, said = processes
    assert "stopped at: " in said
    assert said.split("stopped at: ")[1].split()[-1] == "000000000120"
    assert same(folder / "two-whole", folder / "two-stopped")
