"""Estimate the power of the alarms, by kind and share of planted copies, and their rate of false alarms."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.keys import key
from bench.evaluation.metrics.alignment import Aligner
from bench.evaluation.metrics.copies import aligned_alarm, exact_alarm, fingerprints
from bench.evaluation.metrics.feature_sets import Copies, Nearest
from bench.evaluation.metrics.memorisation import LEVEL, cell_of, cells, near_chance, nearest
from bench.runs import context as standard
from bench.selftest.inputs import load_data
from bench.selftest.study import Study

SEED = 0
SAMPLES = 2000  # of an evaluation; as many held-out images have distances in feature space, the others aligned pixels
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 1.0)  # of the samples that are copies
SOURCES = 1000  # training images that copies are made of; where more copies are planted, some are repeated
REPEATS = 100  # evaluations for each share
CLEAN = 5000  # evaluations of real held-out images without a copy
SINGLE, SINGLE_SAMPLES = 50, 500  # evaluations of samples of one digit alone, for each digit, and their size
BEFORE_LEVEL = 0.00135  # of the alarm that used feature distances alone
REAL, OFF = "real digits", "blurred digits"


def blur(images: Tensor, deviation: float) -> Tensor:
    size = 2 * round(4 * deviation) + 1
    return gaussian_blur(images, [size, size], [deviation, deviation])


def shift(images: Tensor, pixels: int) -> Tensor:
    """Shift to the right and down, and fill the other border with black."""
    moved = torch.zeros_like(images)
    moved[:, :, pixels:, pixels:] = images[:, :, :-pixels, :-pixels]
    return moved


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": lambda images: images,
    "shifted 1 pixel": partial(shift, pixels=1),
    "shifted 2 pixels": partial(shift, pixels=2),
    "brightness × 0.7": lambda images: (0.7 * images).round().to(torch.uint8),
    "blurred, 0.7 pixels": partial(blur, deviation=0.7),
    "blurred, 1 pixel": partial(blur, deviation=1.0),
}


@dataclass(frozen=True, eq=False)
class Pool:
    """Images from which evaluations are drawn, each with all measurements that the tests use."""

    distances: Tensor  # in feature space
    feature_cells: Tensor
    gaps: Tensor
    pixel_cells: Tensor
    exact: Tensor

    def __getitem__(self, index: Tensor) -> "Pool":
        return Pool(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def __add__(self, other: "Pool") -> "Pool":
        return Pool(*(torch.cat([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))


class Measurement:
    """Measures pools of images against MNIST's training split."""

    def __init__(self, training: Tensor, extractor: Extractor) -> None:
        self.extractor, self.features = extractor, extractor(training)
        self.aligner, self.hashes = Aligner.from_images(training), frozenset(fingerprints(training))
        self.centroids = cells(self.features, standard.CELLS, SEED)
        self.cells = cell_of(self.features, self.centroids)

    def __call__(self, images: Tensor) -> Pool:
        features, aligned = self.extractor(images), self.aligner(images)
        exact = torch.tensor([f in self.hashes for f in fingerprints(images)])
        distances, _ = nearest(features, self.features)
        feature_cells = cell_of(features, self.centroids)
        return Pool(distances, feature_cells, aligned.gap, self.cells[aligned.training], exact)


def alarms(samples: Pool, held_out: Pool, first: int) -> dict[str, bool]:
    """Return which alarms are raised; the `first` held-out images are those with distances in feature space."""
    near = Nearest(samples.distances, samples.feature_cells, held_out.distances[:first], held_out.feature_cells[:first])
    gaps = Nearest(samples.gaps, samples.pixel_cells, held_out.gaps, held_out.pixel_cells)
    copies = Copies(gaps, samples.exact, int(held_out.exact.sum()), len(held_out.exact))
    chance = near_chance(near)
    raised = {
        "features alone, before": chance < BEFORE_LEVEL,
        "features": chance < LEVEL,
        "exact copies": exact_alarm(copies) is not None,
        "aligned pixels": aligned_alarm(copies) is not None,
    }
    return raised | {"now": any(raised[name] for name in ("features", "exact copies", "aligned pixels"))}


def rates(draw: Callable[[np.random.RandomState], dict[str, bool]], repeats: int, purpose: str) -> dict[str, float]:
    """Return the share of evaluations in which each alarm is raised."""
    random = np.random.RandomState(key(purpose, SEED))
    results = [draw(random) for _ in range(repeats)]
    return {name: float(np.mean([result[name] for result in results])) for name in results[0]}


def plant(count: int, base: Pool, copies: Pool, real: Pool, random: np.random.RandomState) -> dict[str, bool]:
    """Draw an evaluation of SAMPLES, `count` of them copies and the others of `base`, which may be `real` itself."""
    order = torch.from_numpy(random.permutation(len(real.gaps)))
    clean = order[:SAMPLES] if base is real else torch.from_numpy(random.permutation(len(base.gaps)))
    indices = torch.from_numpy(random.permutation(len(copies.gaps))).repeat(SAMPLES // SOURCES)[:count]
    return alarms(base[clean[: SAMPLES - count]] + copies[indices], real[order[SAMPLES:]], SAMPLES)


def single(real: Pool, of_digit: Tensor, random: np.random.RandomState) -> dict[str, bool]:
    """Draw an evaluation of samples of one digit, beside all other held-out images."""
    order = torch.from_numpy(random.permutation(len(real.gaps)))
    selection = order[of_digit[order]][:SINGLE_SAMPLES]
    rest = order[~torch.isin(order, selection)]
    return alarms(real[selection], real[rest], SAMPLES)


def study() -> Study:
    mnist = load_data("mnist")
    measure = Measurement(mnist.train_images, load_extractor("mnist-cnn"))
    random = np.random.RandomState(key("copies study, sources", SEED))
    sources = mnist.train_images[torch.from_numpy(random.permutation(len(mnist.train_images))[:SOURCES])]
    real = measure(mnist.test_images)
    indices = torch.from_numpy(random.permutation(len(mnist.test_images))[:SAMPLES])
    bases = {REAL: real, OFF: measure(blur(mnist.test_images[indices], 1.0))}
    power: dict[str, Any] = {}
    for kind, change in KINDS.items():
        copies = measure(change(sources))
        for base, pool in bases.items():
            for share in SHARES:
                draw = partial(plant, round(share * SAMPLES), pool, copies, real)
                power.setdefault(base, {}).setdefault(kind, {})[share] = rates(draw, REPEATS, "copies study, power")
    false = {
        REAL: rates(partial(plant, 0, real, real, real), CLEAN, "copies study, clean"),
        OFF: rates(partial(plant, 0, bases[OFF], real, real), REPEATS, "copies study, clean"),
    }
    digits = [
        rates(partial(single, real, mnist.test_labels == digit), SINGLE, "copies study, digit") for digit in range(10)
    ]
    false["one digit alone"] = {
        name: float(np.mean([rates_of_digit[name] for rates_of_digit in digits])) for name in digits[0]
    }
    return Study(
        f"Copies of random MNIST training images were planted among {SAMPLES:,} samples, and the share of {REPEATS} "
        f"evaluations that raised the alarm is given: before, by distances in feature space alone (level "
        f"{BEFORE_LEVEL}), and now, by any of features, equal bytes and aligned pixels (the same level together). The "
        f"other samples are real held-out digits or such digits blurred by 1 pixel, which are off the data as a VAE's "
        f"samples are. Held-out images are the rest of the test split, dealt anew each time. False alarms are of "
        f"{CLEAN:,} evaluations of held-out digits, {REPEATS} of blurred ones, {10 * SINGLE:,} of one digit alone.",
        SEED,
        [*(grid(power[base], base) for base in bases), false_alarms(false)],
        {"power": power, "false alarms": false},
        partial(picture, power),
    )


def grid(power: dict[str, dict[float, dict[str, float]]], base: str) -> tuple[str, list[list[str]]]:
    """Return a line for each kind of copy, with a column for each share."""
    lines = [["copies", "alarm", *(f"{share:.1%}" for share in SHARES)]]
    for kind, powers in power.items():
        for name in ("features alone, before", "aligned pixels", "now"):
            lines.append([kind, name, *(f"{powers[share][name]:.2f}" for share in SHARES)])
    return f"Share of evaluations with an alarm, by the share of copies among {base}", lines


def false_alarms(false: dict[str, dict[str, float]]) -> tuple[str, list[list[str]]]:
    names = list(false[REAL])
    return "False alarms", [
        ["samples", *names],
        *([about, *(f"{r[n]:.5f}" for n in names)] for about, r in false.items()),
    ]


def picture(power: dict[str, Any]) -> bytes:
    """Plot power against share, a panel for each kind of copy and each kind of other samples."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5), dpi=110, facecolor="white", layout="constrained")
    panels = figure.subplots(len(power), len(KINDS), sharex=True, sharey=True)
    lines = {"features alone, before": ("#e45756", "--", "o"), "now": ("#4c78a8", "-", "s")}
    for row, (base, kinds) in zip(panels, power.items(), strict=True):
        for axes, (kind, powers) in zip(row, kinds.items(), strict=True):
            for name, (colour, style, marker) in lines.items():
                heights = [powers[share][name] for share in SHARES]
                axes.plot([100 * s for s in SHARES], heights, style, color=colour, marker=marker, ms=4, label=name)
            axes.set(xscale="log", ylim=(-0.05, 1.05))
            axes.set_title(f"{kind}\namong {base}", size=9)
            axes.set_xticks([0.5, 2, 10, 100], ["0.5", "2", "10", "100"])
            axes.minorticks_off()
            axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("copies, % of the samples", size=9)
    for axes in panels[:, 0]:
        axes.set_ylabel("share with an alarm", size=9)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer)
    return buffer.getvalue()
