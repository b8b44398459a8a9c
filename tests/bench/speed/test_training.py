"""The rival trains on the same images, in the faster of its precisions."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.config.load import load
from bench.config.schema import Config
from bench.speed import training
from bench.speed.turns import Speeds


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Comparisons in which the rival's bfloat16 is three times as fast as we are and its float32 twice."""
    monkeypatch.setattr(training, "resolve_precision", lambda config: "bf16-mixed")

    def compared(
        config: Config, build: partial[Any], *, turns: int, after_turn: Callable[[], None], **settings: Any
    ) -> Any:
        bf16 = build.args[-1]
        for _ in range(turns):
            after_turn()
        return Speeds(10, [(1.0, 1 / 3 if bf16 else 1 / 2)] * turns), None, None

    monkeypatch.setattr(training, "compare", compared)
    return []


def test_the_rivals_faster_precision_counts(shares: list[float]) -> None:
    answer = training.compare_with(
        "x", ["model=ddpm"], "diffusers", partial(training.diffusers, True), None, shares.append
    )
    assert answer.ratio == pytest.approx(1 / 3)
    assert answer.note.endswith("ours in bf16-mixed, theirs in bf16")
    assert answer.target in training.DDPM_TARGET.values()
    assert sum(shares) == pytest.approx(1)


def test_pythae_trains_in_float32_alone(shares: list[float]) -> None:
    answers = training.measure(shares.append)
    ratios = {answer.against: answer.ratio for answer in answers}
    assert ratios.pop("pythae") == pytest.approx(1 / 2)
    assert len(ratios) == 4, "two libraries, each with our network and with its own"
    assert all(ratio == pytest.approx(1 / 3) for ratio in ratios.values())
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("name", training.AUTOENCODERS)
def test_the_autoencoders_configurations_are_valid(name: str) -> None:
    _, words = training.AUTOENCODERS[name]
    assert Path(load(["preset=quick", *words])[0].results).name
