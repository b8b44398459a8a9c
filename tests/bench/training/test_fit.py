"""A training ends with its weights and its cost on record, or as a failure with its cause."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.results import records
from bench.training import fit
from bench.training.callbacks import Diverged
from models import MODELS
from models.base import GenerativeModel
from tests.bench.training.interrupted import POINTS, Train, at_images, stop, stopped_at

pytestmark = pytest.mark.usefixtures("short")


def test_a_second_ctrl_c_stops_at_once(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    # a shell starts what it puts in the background with SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = at_images(monkeypatch, 88, lambda: (stop()(), stop()()))
    with pytest.raises(fit.Interrupted, match="stopped at once"):
        train("vae", "broken")
    assert seen[-1] == 88
    assert not list(Path("broken").rglob("*.ckpt"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_seconds_of_the_training_add_up_over_stops(train: Train) -> None:
    (checkpoint,) = stopped_at(train, 88)
    state = torch.load(checkpoint, weights_only=True)
    before = state["callbacks"]["Timer"]["time_elapsed"]["train"]
    assert 0 < before < 60
    state["callbacks"]["Timer"]["time_elapsed"]["train"] = 1000 + before
    torch.save(state, checkpoint)
    assert 1000 + before < train("vae", "broken").train_seconds < 1060


def test_slurm_gets_no_checkpoint_of_lightnings_own(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning saves hpc_ckpt_N.ckpt in the midst of a batch on SIGUSR1, and loads any in the working folder."""
    for name, value in {"NTASKS": "1", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    torch.save({}, "hpc_ckpt_1.ckpt")
    handlers: list[object] = []
    at_images(monkeypatch, 88, lambda: handlers.append(signal.getsignal(signal.SIGUSR1)))
    assert train("vae", "r").images_seen == 160
    assert handlers == [signal.SIG_DFL]


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
