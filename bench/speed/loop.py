"""Measure the cost of Lightning's loop: every family trained as `bench train` does it, and by a bare PyTorch loop.

Both train the same model on the same batches to the same weights.
"""

from functools import partial

import lightning as L

from bench.config.load import load
from bench.config.schema import Config
from bench.runs.build import build_model, data_spec
from bench.speed.answers import Answer, Tick, quartiles
from bench.speed.bare import BareLoop
from bench.speed.turns import ENDLESS, compare, trimmed_mean
from datamodules.base import ImageDataModule
from models import MODELS

SECONDS, TURNS = 0.3, 20
TARGET = 0.95


def bare_loop(config: Config, data: ImageDataModule, trainer: L.Trainer) -> BareLoop:
    """Return the bare loop for `config`, from the same weights on the same batches as Lightning's."""
    model = build_model(config, data_spec(data))
    return BareLoop(model, data.train_dataloader(), str(trainer.precision), trainer.strategy.root_device)


def measure(tick: Tick) -> list[Answer]:
    """Return an answer for each family."""
    answers = []
    for name in MODELS:
        (config,) = load(["preset=quick", f"model={name}", f"train.images={ENDLESS}"])
        speeds, _, _ = compare(
            config,
            partial(bare_loop, config),
            seconds=SECONDS,
            turns=TURNS,
            after_turn=partial(tick, 1 / TURNS / len(MODELS)),
        )
        lightning, bare = speeds.images_per_second()
        answers.append(
            Answer(
                f"training {name} by Lightning",
                "a bare loop to the same weights",
                "images/s",
                lightning,
                bare,
                trimmed_mean(speeds.ratios()),
                *quartiles(speeds.ratios()),
                target=TARGET,
                note=f"{speeds.overhead() * 1e6:,.0f} µs a batch longer",
            )
        )
    return answers
