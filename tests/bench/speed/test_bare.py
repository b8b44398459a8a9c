"""The bare loop trains every family as Lightning does."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

import bench.speed.bare
import bench.training.callbacks
import bench.training.fit
import models.base
from bench.config.schema import Config
from bench.speed import loop, turns
from bench.speed.bare import BareLoop
from models import MODELS

Tiny = Callable[[str], Config]
BATCHES = 12  # until the loss is logged, which is more than a warm-up takes

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("model", MODELS)
def test_the_bare_loop_ends_with_the_weights_and_the_loss_of_lightnings(
    model: str, configured: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, averaged weights and buffers too, while both take turns of a batch each."""
    for module in (models.base, bench.training.callbacks, bench.training.fit, bench.speed.bare):
        monkeypatch.setattr(module, "LOG_EVERY", BATCHES)
    config = configured(model)
    speeds, trained, bare = turns.compare(config, partial(loop.bare_loop, config), seconds=0.0, turns=BATCHES)
    assert isinstance(bare, BareLoop)
    assert bare.done == BATCHES + 1  # the first turn does not count
    assert len(speeds.turns) == BATCHES
    expected, ours = trained.state_dict(), (bare.averages.module if bare.averages else bare.model).state_dict()
    assert expected.keys() == ours.keys()
    for name, value in expected.items():
        assert torch.equal(value, ours[name]), name
    assert bare.curve == [float(trained.trainer.logged_metrics["train/loss"])]
