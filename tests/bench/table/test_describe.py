"""A record is described by what it holds: settings, data, code, training and protocols."""

from pathlib import Path

import pytest

from bench.evaluation.protocol import Protocol
from bench.results.records import find
from bench.table.describe import code_state, facts, settings
from tests.bench.example_results import run_id
from tests.bench.records import lecture


def test_a_run_is_described_by_its_settings_data_code_and_training(example_results: Path) -> None:
    record = find(example_results, run_id("vae"))
    assert record is not None
    said = facts(record)
    assert said["model"] == "vae (Autoregressive, VAEs)"
    assert f"latent_dim {record.config['model']['latent_dim']}" in said["settings"]
    assert said["data"].startswith("mnist, ")
    assert said["code"] == f"{'c' * 12}; torch 2.9"
    assert said["training"].startswith(f"{record.images_seen:,} images in batches of {record.config['train']['batch']}")
    assert "processes" not in said["training"], "of one process nothing is said"
    assert said["weights"] == "0.65 M, 0.64 M of them used for sampling"


def test_a_class_of_the_users_own_is_described_by_its_sources_and_not_by_its_folder(example_results: Path) -> None:
    record = find(example_results, run_id("vae"))
    assert record is not None
    sources = {"mine.py": "12345678abc", "inner/blocks.py": "87654321abc"}
    record.config["plugins"] = {"model": {"place": "/home/them/mine.py:Mine", "sources": sources}}
    assert facts(record)["model's source"] == "Mine of mine.py sha 12345678, inner/blocks.py sha 87654321"
    assert "/home/them" not in str(facts(record))


def test_real_images_have_no_training_and_no_weights(example_results: Path) -> None:
    record = find(example_results, f"held-out-mnist-{'0' * 12}")
    assert record is not None
    assert facts(record).keys() == {"model", "data", "preset", "code"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({"commit": "a" * 40, "clean": True}, ""),
        ({"commit": "a" * 40, "clean": False}, ", with uncommitted changes"),
        ({"commit": "a" * 40, "clean": None}, ", changes unknown"),
        (
            {"commit": "a" * 40, "clean": True, "earlier": [{"code": {"commit": c * 40}} for c in "aab"]},
            f" (begun by {'b' * 12})",
        ),
    ],
)
def test_uncommitted_changes_and_earlier_commits_are_said(code: dict, said: str) -> None:
    assert code_state(code) == said


def test_every_protocol_is_described_once_under_its_setting() -> None:
    ddpm = lecture()[2]
    (result,) = ddpm.results.values()
    stated = Protocol.from_dict(result.protocol)
    assert settings(ddpm) == {stated.setting(): stated.line()}
    ddpm.results |= {"again": result}
    assert len(settings(ddpm)) == 1
