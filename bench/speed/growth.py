"""How does the cost grow? With the side of an image, the batch and the weights; evaluation with the number of samples.

Each line varies one thing alone and has the exponent of a power law, the slope of a line through the logarithms. Images
are noise, since time does not depend on what they show; evaluation is of all figures, on features of Gaussians.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.timing import peak_memory, reset_peak_memory
from bench.runs.build import build_model
from bench.speed.answers import Tick
from bench.speed.bare import BareLoop
from bench.speed.evaluation import feature_sets
from bench.speed.turns import now
from datamodules.stream import BatchStream
from models.ddpm import DDPM

SIDES = (28, 32, 64)
BATCHES = (16, 64, 256)
CHANNELS = ((16, 32), (32, 64), (64, 128))  # of the U-Net
SAMPLES = (2_000, 10_000, 50_000)
DIM = 128  # of the features
SECONDS = 1.0  # that a cost is measured for, at least


@dataclass(frozen=True)
class Growth:
    """What something costs at several sizes."""

    what: str  # and its unit
    by: str  # what grows
    sizes: list[float]
    costs: list[float]

    @property
    def exponent(self) -> float:
        """b of cost = a size^b, by least squares on logarithms."""
        x, y = ([math.log(value) for value in values] for values in (self.sizes, self.costs))
        return statistics.linear_regression(x, y).slope


def measure(tick: Tick) -> list[Growth]:
    """Training and sampling of the DDPM, then the evaluation."""
    cases = [(f"{side} x {side}", side, 64, CHANNELS[1]) for side in SIDES]
    cases += [(f"batch {batch}", 28, batch, CHANNELS[1]) for batch in BATCHES]
    cases += [(f"channels {channels}", 28, 64, channels) for channels in CHANNELS]
    weights: list[float] = []
    costs: list[tuple[float, float]] = []
    for _, side, batch, channels in cases:
        weight, training, sampling = ddpm_costs(side, batch, channels)
        weights.append(weight)
        costs.append((training, sampling))
        tick(0.5 / len(cases))
    found = []
    pixels, batches = [float(side**2) for side in SIDES], [float(batch) for batch in BATCHES]
    for first, by, sizes in ((0, "pixels", pixels), (3, "batch", batches), (6, "weights", weights[6:])):
        for index, what in enumerate(("training ddpm, ms an image", "a step of sampling ddpm, ms an image")):
            found.append(Growth(what, by, sizes, [1e3 * both[index] for both in costs[first : first + 3]]))
    evaluated = []
    for n in SAMPLES:
        evaluated.append(evaluation_costs(n))
        tick(0.5 * n / sum(SAMPLES))
    samples = [float(n) for n in SAMPLES]
    for what, values in zip(("evaluating, s", "evaluating, peak MB"), zip(*evaluated, strict=True), strict=True):
        found.append(Growth(what, "samples", samples, list(values)))
    return found


def ddpm_costs(side: int, batch: int, channels: Sequence[int]) -> tuple[float, float, float]:
    """Weights, and seconds an image of a training step and of a step of sampling."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    (config,) = load(["preset=quick", "model=ddpm", f"model.channels={list(channels)}"])
    model = build_model(config, (1, side, side))
    assert isinstance(model, DDPM)
    images = torch.randint(256, (max(batch, 256), 1, side, side), dtype=torch.uint8)
    labels = torch.zeros(len(images), dtype=torch.int64)
    stream = BatchStream(images, labels, batch_size=batch, batches=10**6, seed=0, device=device)
    precision = resolve_precision(config)
    loop = BareLoop(model, stream, precision, device)
    training = seconds(lambda: loop.turn(1, 0.0), device) / batch
    generator, steps = torch.Generator(device).manual_seed(0), 3
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
        sampling = seconds(lambda: model.sample(batch, generator, steps=steps), device) / batch / steps
    return float(sum(p.numel() for p in model.parameters())), training, sampling


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of a call, the median of three or more after one that warms up."""
    work()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < SECONDS:
        start = now(device)
        work()
        taken.append(now(device) - start)
    return statistics.median(taken)


def evaluation_costs(n: int) -> tuple[float, float]:
    """Seconds for all figures of n samples against n, and the memory that they took at most, in 2^20 bytes."""
    generator = torch.Generator().manual_seed(0)
    generated, reference = torch.randn(2, n, DIM, generator=generator)
    cpu = torch.device("cpu")
    reset_peak_memory(cpu)
    before, _ = peak_memory(cpu, "")
    start = time.perf_counter()
    sets = feature_sets(1.1 * generated, reference)
    for metric in METRICS.values():
        if metric.applies(sets):
            metric.compute(sets)
    taken = time.perf_counter() - start
    memory, _ = peak_memory(cpu, "")
    return taken, memory - before if memory and before else math.nan
