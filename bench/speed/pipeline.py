"""How fast is the data pipeline alone? `BatchStream` on MNIST against torchvision's `DataLoader` with `ToTensor`.

Every pipeline delivers shuffled images in batches of 64; the passes are interleaved, so that whatever else the
machine does falls on all of them alike, and the median pass counts. `BatchStream` has one thread, as `DataLoader` gives
each of its workers.

And what share of a training step does making its batch take? Of the family whose step is the shortest.
"""

import gzip
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.runs.build import build_data, build_model
from bench.speed.answers import Answer, Rounds, Tick, answer, interleave, rate
from bench.speed.bare import BareLoop
from bench.speed.turns import ENDLESS
from datamodules import DATAMODULES
from models import MODELS

BATCH_SIZE = 64
REPEATS = 5
IMAGES = 64 * 150  # a pass of a DataLoader
TARGET = 50.0
LARGEST_SHARE = 0.03  # of a training step
OUR_IMAGES = 64 * 15_000  # a pass of ours, for about the same time


def data_loader(root: Path, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Passes over IMAGES images through PIL, as torchvision's documentation shows it; its workers stay alive."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in (resources.files("datamodules") / "assets").iterdir():
        if packed.name.endswith(".gz"):
            (raw / packed.name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    images = Subset(MNIST(root, transform=ToTensor()), range(IMAGES))
    return DataLoader(images, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def images_per_second(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """One pass, timed from the first batch on, so that neither the start of workers nor a first allocation counts."""
    iterator = iter(batches)
    next(iterator)
    start = time.perf_counter()
    images = sum(len(batch) for batch, _ in iterator)
    return images / (time.perf_counter() - start)


def rounds(root: Path, tick: Tick) -> Rounds:
    """Seconds an image of each pipeline, in REPEATS interleaved passes, with one thread."""
    ours = DATAMODULES["mnist"](batch_size=BATCH_SIZE, images=OUR_IMAGES)
    ours.setup()
    loaders = {f"DataLoader, {workers} workers": data_loader(root, workers) for workers in (0, 2)}
    passes = {"BatchStream": lambda: 1 / images_per_second(ours.train_dataloader())}
    passes |= {name: partial(lambda loader: 1 / images_per_second(loader), loader) for name, loader in loaders.items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return interleave(passes, REPEATS, tick)
    finally:
        torch.set_num_threads(threads)


def fastest_step() -> tuple[str, float]:
    """Which family's training step takes least time for an image, in its preset's batches, and how many seconds."""
    steps = {}
    for name in MODELS:
        (config,) = load(["preset=quick", f"model={name}", f"train.images={ENDLESS}"])
        data = build_data(config)
        model = build_model(config, data.image_shape)
        loop = BareLoop(model, data.train_dataloader(), resolve_precision(config), torch.device("cpu"))
        loop.turn(2, 0.0)
        steps[name] = timed_turn(loop)
    name = min(steps, key=lambda model: steps[model])
    return name, steps[name]


def timed_turn(loop: BareLoop) -> float:
    """Seconds an image of ten batches."""
    start = time.perf_counter()
    images = loop.turn(10, 0.0)
    return (time.perf_counter() - start) / images


def measure(tick: Tick) -> list[Answer]:
    """ReferenceSet each DataLoader, and against the family whose training step is the shortest."""
    with tempfile.TemporaryDirectory() as root:
        measured = rounds(Path(root), tick)
    answers = [
        answer(measured, f"batches of {BATCH_SIZE}", name, "images/s", "BatchStream", name, TARGET)
        for name in measured
        if name != "BatchStream"
    ]
    name, step = fastest_step()
    stream = 1 / rate(measured, "BatchStream")
    note = f"making the batch is {stream / step:.2%} of the step; to be at most 3%"
    share = Answer(
        "making a batch", f"a step of {name}, the fastest", "images/s", 1 / stream, 1 / step, step / stream,
        target=1 / LARGEST_SHARE, note=note,
    )  # fmt: skip
    return [*answers, share]
