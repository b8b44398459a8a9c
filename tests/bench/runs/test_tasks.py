"""Tasks beside sampling are measured once each, and a stop between two loses none."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.evaluation.tasks.registry import ABILITIES

Words = Callable[..., list[str]]


def record(results: Path, model: str) -> dict:
    (file,) = (results / "records").glob(f"{model}-*.json")
    return json.loads(file.read_text())


def test_a_stop_between_abilities_loses_none_and_measures_none_twice(
    small_mnist: Path, tiny_run: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = small_mnist / "r"

    def stopped(model: object, asked: object) -> dict:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(ABILITIES, "encode", dataclasses.replace(ABILITIES["encode"], measure=stopped))
        assert main(tiny_run("vae")) == 130
    before = record(results, "vae")
    assert {one["protocol"]["ability"] for one in before["abilities"].values()} == {"reconstruct"}
    monkeypatch.setitem(ABILITIES, "reconstruct", dataclasses.replace(ABILITIES["reconstruct"], measure=stopped))
    assert main(tiny_run("vae")) == 0
    after = record(results, "vae")
    assert after["results"] == before["results"]
    assert {one["protocol"]["ability"] for one in after["abilities"].values()} == {
        "reconstruct", "encode", "bits_per_dim",
    }  # fmt: skip
    assert len(list((results / "records").glob("raw-pixels-*.json"))) == 1
