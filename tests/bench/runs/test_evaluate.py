"""What the evaluation of a run passes on to the evaluator."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main


def test_the_seed_of_a_run_is_the_training_seed_of_its_samples_noise(
    finished: Callable[..., Path], tiny_run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the models of several seeds are sampled from one noise, and their spread lacks part of chance."""
    given: list[object] = []

    def stopped(*_: object, **settings: object) -> None:
        given.append(settings["training_seed"])
        raise KeyboardInterrupt

    finished("gan")  # with its baselines, which the run beside it shares
    monkeypatch.setattr("bench.runs.evaluate.evaluate", stopped)
    assert main(tiny_run("gan", "seed=3")) == 130
    assert given == [3]
