"""A run's identity in W&B is its run_id, an agent's its sweep's; a baseline has a job type of its own."""

from pathlib import Path

import pytest

from bench.config.load import load
from bench.results.identity import run_id
from bench.tracking import identity as tracking
from tests.bench.records import record


def test_an_agents_run_keeps_the_id_of_its_sweep_and_is_online(monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = load(["model=vae", "preset=smoke"])
    assert tracking.mode(config) == "disabled"
    assert tracking.identity(config).id == run_id(config)
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    assert tracking.identity(config).id == run_id(config)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert (tracking.mode(config), tracking.identity(config).id) == ("online", "abc123")
    (offline,) = load(["model=vae", "preset=smoke", "wandb.mode=offline"])
    assert tracking.mode(offline) == "offline"


def test_a_record_has_the_identity_of_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    (config,) = load(["model=vae", "preset=smoke", "wandb.group=g"])
    run = record("vae", "autoregressive-vae")
    run.run_id, run.config = run_id(config), config.model_dump()
    assert tracking.record_identity(run, config.wandb.project) == tracking.identity(config)
    assert tracking.record_identity(run, "p", "x7q2").id == "x7q2"


def test_real_images_and_other_programs_images_are_references() -> None:
    for run, job in ((record("vae", "autoregressive-vae"), "train"), (record("held-out", "data"), "reference"),
                     (record("theirs", "outside"), "reference")):  # fmt: skip
        identity = tracking.record_identity(run, "p")
        assert (identity.id, identity.job_type, identity.config["dataset"]) == (run.run_id, job, "mnist")


def test_only_the_first_rank_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = load(["model=vae", "wandb.mode=offline"])
    for rank, mode in ((0, "offline"), (1, "disabled")):
        monkeypatch.setattr("bench.runtime.ranks.rank", lambda rank=rank: rank)
        assert tracking.open_session(config, tmp_path).mode == mode
