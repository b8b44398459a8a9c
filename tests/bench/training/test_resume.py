"""A training that is stopped, killed or damaged, and resumed, ends as one that was left alone, to the bit."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from bench.cli.main import main
from bench.config.schema import ConfigError
from bench.results import records
from bench.training import fit, resume
from datamodules.base import split_indices
from models import MODELS
from tests.bench.training.interrupted import BUDGET, Tiny, Train, at_images, same, stop, stopped_at, weights

pytestmark = pytest.mark.usefixtures("short")
QUICK = ("vae", "vqvae", "gan", "ddpm")  # of codebooks, two optimizers, a snapshot; the other families are slow


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("vae", signal.SIGTERM),
        *(pytest.param(model, signal.SIGINT, marks=[] if model in QUICK else [pytest.mark.slow]) for model in MODELS),
    ],
    ids=str,
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
    monkeypatch.setattr(resume, "running_code", lambda config, kinds: first)
    stopped_at(train, 88)
    stopped_at(train, 120)
    monkeypatch.setattr(resume, "running_code", lambda config, kinds: second)
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
    monkeypatch.setattr("bench.runtime.threads.own_cores", lambda: list(range(8)))
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


def test_a_stop_at_the_last_batch_leaves_nothing_but_the_evaluation(train: Train) -> None:
    train("vae", "whole")
    stopped_at(train, 160)
    with pytest.MonkeyPatch.context() as patched:
        seen = at_images(patched, 0, stop())
        train("vae", "broken")
    assert seen == []
    assert same("whole", "broken")


def killed(processes: str, folder: Path, tiny: Tiny) -> str:
    """Let killed.py leave its results folders, of one process or of two; what it says."""
    command = [sys.executable, str(Path(__file__).parent / "killed.py"), str(folder), processes]
    words = ["model=vae", *BUDGET, *tiny["vae"], "trainer.precision=32-true"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed on Unix")
def test_a_training_killed_at_its_worst_moments_ends_as_the_one_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    """In a batch, in the midst of writing a checkpoint, the final weights, the record; and started again each time."""
    killed("one", tmp_path, tiny)
    assert same(tmp_path / "whole", tmp_path / "killed")
    files = [{file.name for file in (tmp_path / name).rglob("*")} for name in ("whole", "killed")]
    assert files[0] == {name for name in files[1] if not name.startswith(".vae-")}  # of the killed record


@pytest.mark.slow  # eight processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="gloo jobs are tried on Unix")
def test_a_signal_to_one_rank_stops_both_and_the_resumed_training_ends_as_the_one_left_alone(
    tiny: Tiny, tmp_path: Path
) -> None:
    said = killed("two", tmp_path, tiny)
    assert "stopped at: " in said
    assert said.split("stopped at: ")[1].split()[-1] == "000000000120"
    assert same(tmp_path / "two-whole", tmp_path / "two-stopped")
