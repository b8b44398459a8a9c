"""How long until a DDPM is that good? Seconds of training to a given FID, beside the other libraries' own trainers.

Ours is preset quick with a budget of IMAGES: what its FID is at the end is what the others have to reach, each with
the settings that its project recommends (batches of 16 for diffusers, two of 32 a step for denoising-diffusion-pytorch)
on networks of the same size. They are looked at whenever their training took another STEP times as long, and given up
at GIVEN_UP times our seconds: the ratio is then at least that. FID is of SAMPLES images drawn by 50 DDIM steps from the
averaged weights, in all three cases. Drawing and judging are not counted. One training a side, one after another.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.samples import generate
from bench.runs.build import build_data, build_model
from bench.speed.answers import Answer, Tick
from bench.speed.evaluation import feature_sets
from bench.training.fit import build_trainer
from datamodules.base import ImageDataModule
from models.ddpm import DDPM

IMAGES = 100_000
SAMPLES = 500
CHUNK, STEPS = 100, 50
STEP, GIVEN_UP = 1.5, 3.0
TARGET = 3.0


class Trained(Protocol):
    """A rival that can draw."""

    def turn(self, batches: int, seconds: float) -> int: ...
    def sample(self, n: int, generator: torch.Generator, steps: int) -> Tensor: ...


class Judge:
    """FID against all training images."""

    def __init__(self, data: ImageDataModule, device: torch.device) -> None:
        self.extractor: Extractor = load_extractor("mnist-cnn", device=device)
        self.device = device
        self.features = self.extractor(data.train_images)
        self.moments = Moments.from_features(self.features)

    def fid(self, sample: Callable[[int, torch.Generator], Tensor]) -> float:
        drawn = generate(sample, SAMPLES, chunk=CHUNK, seed=0, device=self.device)
        features = self.extractor(torch.cat([images for _, images in drawn]))
        sets = feature_sets(features, self.features[:SAMPLES], self.moments)
        found = METRICS["fid"].compute(sets)
        assert found is not None
        return found.value


def train_ours(data: ImageDataModule, judge: Judge) -> tuple[float, float]:
    """Seconds of the training and the FID at its end."""
    from lightning.pytorch.callbacks import Timer

    (config,) = load(["preset=quick", "model=ddpm", f"train.images={IMAGES}"])
    model = build_model(config, data.image_shape)
    data.images, data.batch_size = IMAGES, config.train.batch
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(config, model, Path(folder))
        trainer.fit(model, datamodule=data)
        (timer,) = [one for one in trainer.callbacks if isinstance(one, Timer)]  # type: ignore[attr-defined]
    assert isinstance(model, DDPM)
    model.to(judge.device)
    return timer.time_elapsed("train"), judge.fid(lambda n, g: model.sample(n, g, method="ddim", steps=STEPS))


def race(rival: Trained, judge: Judge, seconds: float, goal: float, tick: Tick) -> tuple[float, float, bool]:
    """The rival's seconds and FID when it has reached `goal` or is given up, and whether it has.

    seconds: what ours took; `tick` is told of shares of the time until the rival is given up.
    """
    spent, mark = 0.0, seconds
    while True:
        start = time.perf_counter()
        rival.turn(1, mark - spent)
        taken = time.perf_counter() - start
        spent += taken
        tick(taken / seconds / GIVEN_UP)
        fid = judge.fid(lambda n, g: rival.sample(n, g, STEPS))
        if fid <= goal or spent >= GIVEN_UP * seconds:
            return spent, fid, fid <= goal
        mark = min(mark * STEP, GIVEN_UP * seconds)


def measure(tick: Tick) -> list[Answer]:
    """An answer for each rival."""
    from bench.speed.peers.denoising_diffusion import DenoisingDiffusion
    from bench.speed.peers.diffusers import Diffusers

    (config,) = load(["preset=quick", "model=ddpm"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = build_data(config)
    judge = Judge(data, device)
    seconds, goal = train_ours(data, judge)
    tick(0.2)
    bf16 = resolve_precision(config) == "bf16-mixed"
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        rivals: dict[str, Callable[[], Trained]] = {
            "diffusers' recipe": lambda: Diffusers(
                data.train_images, config.model["channels"], 16, device, bf16
            ),
            "denoising-diffusion-pytorch's Trainer": lambda: DenoisingDiffusion(
                data.train_images, Path(folder), 32, 2, STEPS, bf16
            ),
        }  # fmt: skip
        for name, build in rivals.items():
            torch.manual_seed(0)
            spent, fid, reached = race(build(), judge, seconds, goal, lambda share: tick(0.4 * share))
            note = f"FID {goal:.1f} of ours after {IMAGES:,} images; theirs {fid:.1f} in {spent:,.0f} s"
            answers.append(
                Answer(
                    f"ddpm, to FID {goal:.1f}", name, "s", seconds, spent, spent / seconds, target=TARGET, note=note,
                    bound=not reached,
                )
            )  # fmt: skip
    return answers
