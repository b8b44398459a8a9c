"""Lightning's loop and the bare one start from the same weights on the same batches, one answer for each family."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import lightning as L
import pytest
import torch

from bench.config.schema import Config
from bench.runs.build import build_data, build_model, data_spec
from bench.speed import loop
from bench.speed.turns import Speeds
from models import MODELS


def test_the_bare_loop_starts_from_the_configurations_weights_and_batches(configured: Callable[[str], Config]) -> None:
    config = configured("vae")
    data = build_data(config)
    expected = build_model(config, data_spec(data)).state_dict()
    trainer = SimpleNamespace(precision="32-true", strategy=SimpleNamespace(root_device=torch.device("cpu")))
    bare = loop.bare_loop(config, data, cast(L.Trainer, trainer))
    assert all(torch.equal(value, bare.model.state_dict()[name]) for name, value in expected.items())
    assert len(list(bare.batches)) == config.train.images / config.train.batch


def test_every_family_has_an_answer_with_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(config: Config, build: object, *, turns: int, after_turn: Callable[[], None], **settings: Any) -> Any:
        for _ in range(turns):
            after_turn()
        return Speeds(10, [(0.2, 0.1)] * turns), None, None

    monkeypatch.setattr(loop, "compare", compared)
    shares: list[float] = []
    answers = loop.measure(shares.append)
    assert [answer.what for answer in answers] == [f"training {name} by Lightning" for name in MODELS]
    assert all((answer.ratio, answer.target) == (pytest.approx(0.5), loop.TARGET) for answer in answers)
    assert sum(shares) == pytest.approx(1)
