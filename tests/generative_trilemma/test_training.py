"""`train` is `bench train`: the same run, the same record, and its mistakes as exceptions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import generative_trilemma as gt
from bench.cli.main import main
from bench.config.load import load
from bench.results.identity import run_id

TINY: dict[str, Any] = {
    "preset": "smoke", "train__images": 64, "train__batch": 32, "model__width": 4, "model__hidden": 8,
    "evaluation__samples": 64, "evaluation__timed_images": 2, "trainer__precision": "32-true", "results": "r",
}  # fmt: skip


def test_it_is_the_run_of_the_command(small_mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = gt.train("vae", data="mnist", **TINY)
    words = ["model=vae", "data=mnist", *(f"{key.replace('__', '.')}={value}" for key, value in TINY.items())]
    assert record.run_id == run_id(load(words)[0])
    assert record.images_seen == 64
    assert record in gt.records("r")
    assert repr(record) == str(record) == f"<Record {record.run_id}: vae, 64 images seen, 1 row>"
    capsys.readouterr()
    assert main(["train", *words]) == 0
    assert f"{record.run_id} is trained and evaluated, nothing to do" in capsys.readouterr().err
    assert gt.train("vae", data="mnist", **TINY) == record


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: gt.train("vea"), "did you mean vae"),
        (lambda: gt.train("vae", data="mnits"), "did you mean mnist"),
        (lambda: gt.train("vae", model__latent=3), "^model__latent: unknown key"),
        (lambda: gt.train("vae", train__images=0), "^train__images=0: "),
        (lambda: gt.train("vae", trainer__devices=2), "2 processes cannot be started from Python"),
        (lambda: gt.train("./no.py:Mine"), "no file"),
    ],
)
def test_a_mistake_is_an_input_error_and_leaves_nothing(
    call: Callable[[], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gt.InputError, match=said):
        call()
    assert not any(tmp_path.iterdir())
