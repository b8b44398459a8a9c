"""The speed questions compare like with like, and count what they say they count."""

import os
import signal
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Trainer

from bench.config.schema import Config
from bench.speed import loop, turns
from bench.speed.bare import BareLoop
from bench.training.fit import SECONDS_BETWEEN_CHECKPOINTS
from models.base import GenerativeModel

Tiny = Callable[[str], Config]

pytestmark = pytest.mark.usefixtures("quiet")


def test_each_sides_turn_is_timed_without_the_others(configured: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that stands still but for two ticks a batch of Lightning's, one of the bare one's, ten a save."""
    clock: Any = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    begin, turn, save = GenerativeModel.on_train_batch_start, BareLoop.turn, Trainer.save_checkpoint

    def two_ticks(self: GenerativeModel, *batch: Any) -> None:
        begin(self, *batch)
        clock.now += 2

    def a_tick_each(self: BareLoop, batches: int, seconds: float) -> int:
        clock.now += batches
        return turn(self, batches, seconds)

    def ten_ticks(self: Any, *file: Any) -> None:
        save(self, *file)
        clock.now += 10

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", two_ticks)
    monkeypatch.setattr(BareLoop, "turn", a_tick_each)
    monkeypatch.setattr(Trainer, "save_checkpoint", ten_ticks)
    monkeypatch.setattr(turns, "time", clock)
    seen: list[int] = []
    config = configured("vae")
    speeds, _, bare = turns.compare(
        config, partial(loop.bare_loop, config), seconds=5.0, turns=4, after_turn=lambda: seen.append(1)
    )
    assert len(seen) == 4
    assert isinstance(bare, BareLoop)
    assert bare.done == 5 * 3  # batches of two ticks until five are over
    assert speeds == turns.Speeds(16, [(2.0 / 16, 1.0 / 16)] * 4, checkpoint=10.0)


def test_the_ratio_has_its_share_of_checkpoints_and_leaves_out_single_disturbed_turns() -> None:
    pairs = [(0.2, 0.19)] * 18 + [(20.0, 0.19), (0.2, 19.0)]
    speeds = turns.Speeds(32, pairs, checkpoint=0.05 * SECONDS_BETWEEN_CHECKPOINTS)
    assert turns.trimmed_mean(speeds.ratios()) == pytest.approx(0.19 / 0.2 / 1.05)
    assert speeds.images_per_second() == pytest.approx((1 / 0.2 / 1.05, 1 / 0.19))
    assert speeds.overhead() == pytest.approx(32 * (0.2 * 1.05 - 0.19))


def test_a_stop_by_the_user_gives_no_figures(configured: Tiny) -> None:
    presses = iter([lambda: os.kill(os.getpid(), signal.SIGINT)])
    config = configured("vae")
    with pytest.raises(KeyboardInterrupt):
        turns.compare(
            config,
            partial(loop.bare_loop, config),
            seconds=0.0,
            turns=4,
            after_turn=lambda: next(presses, lambda: None)(),
        )
