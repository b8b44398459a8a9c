"""Compare the peak memory of a training with that of other libraries' trainings, each in a process of its own.

All hold the same images, as uint8, and train on as many of them; the other libraries train their own networks of about
as many weights. Memory is the peak resident size of the process, in 2^20 bytes, without what `bench train` evaluates
before and after.
"""

import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.config.load import load
from bench.runs.build import build_data, build_model, data_spec
from bench.speed.answers import Answer, Tick
from bench.speed.startup import process
from bench.training.fit import build_trainer

IMAGES = 640
MOST = 1.1  # times the lower rival's peak
RIVALS: Mapping[str, Sequence[str]] = {
    "vae": ("pythae",),
    "ddpm": ("diffusers", "denoising_diffusion"),
}


def measure(tick: Tick) -> list[Answer]:
    """Return an answer for each family and rival; the target holds against the lower rival."""
    answers = []
    (config,) = load(["preset=quick", "model=vae"])
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        np.save(images, build_data(config).train_images.numpy())
        for family, rivals in RIVALS.items():
            words = ["preset=quick", f"model={family}", f"train.images={IMAGES}"]
            (config,) = load(words)
            _, ours = process(["-m", "bench.speed.memory", *words])
            tick(1 / len(RIVALS) / 2)
            peaks = {name: rivals_peak(name, images, config.train.batch) for name in rivals}
            tick(1 / len(RIVALS) / 2)
            answers += [answer(f"training {family}, peak memory", name, ours, peaks) for name in rivals]
    return answers


def answer(what: str, name: str, ours: float, peaks: Mapping[str, float]) -> Answer:
    """Answer by one rival's peak over ours; only the lowest peak is a target."""
    lowest = peaks[name] == min(peaks.values())
    target, note = (1 / MOST, f"to be at most {MOST:g} times theirs") if lowest else (None, "")
    return Answer(what, name, "MB", ours, peaks[name], peaks[name] / ours, target=target, note=note)


def rivals_peak(name: str, images: Path, batch: int) -> float:
    """Return the peak memory of a rival's training, which its file runs as a program."""
    _, peak = process(["-m", f"bench.speed.peers.{name}", str(images), str(IMAGES), str(batch)])
    return peak


def train_alone(words: Sequence[str]) -> None:
    """Train as `bench train` does, without any evaluation."""
    (config,) = load(words)
    data = build_data(config)
    model = build_model(config, data_spec(data))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # as in bench.training.fit
        build_trainer(config, model, Path(folder)).fit(model, datamodule=data)


if __name__ == "__main__":
    train_alone(sys.argv[1:])
