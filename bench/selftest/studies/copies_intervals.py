"""Estimate the coverage of the 95% intervals of `near_copies` and C_T, for samples of the data, off it, and copies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bench.evaluation.features.extractor import Moments
from bench.evaluation.keys import key
from bench.evaluation.metrics.feature_sets import FeatureSets, Nearest
from bench.evaluation.metrics.intervals import Estimate, groups
from bench.evaluation.metrics.memorisation import c_t, near_copies
from bench.evaluation.protocol import Protocol
from bench.selftest.study import Study

SEED = 0
SAMPLES = HELD_OUT = 2000
CELLS = np.linspace(0.5, 1.5, 10) / 10  # probabilities of the cells
DRAWS = 300
SHAPE = 8  # of the gamma distribution of distances

Distances = Callable[[np.random.RandomState, int], np.ndarray]


def scaled(scale: float, copied: float = 0.0) -> Distances:
    """Return distances of samples, `scale` times those of the data, but for a share of copies, which are at 0."""
    return lambda random, n: random.gamma(SHAPE, scale, n) * (random.rand(n) >= copied)


CASES: dict[str, Distances] = {
    "data": scaled(1.0),
    "nearer, × 0.9": scaled(0.9),
    "off the data, × 1.3": scaled(1.3),
    "far off the data, × 2": scaled(2.0),
    "1% copies, others of the data": scaled(1.0, 0.01),
    "10% copies, others of the data": scaled(1.0, 0.1),
    "1% copies, others off the data": scaled(1.3, 0.01),
    "copies alone": scaled(1.0, 1.0),
}


def sets(distances: Distances, random: np.random.RandomState) -> FeatureSets:
    """Draw an evaluation: cells and distances of samples and of held-out images."""
    sample_cells, held_out_cells = (random.choice(len(CELLS), n, p=CELLS) for n in (SAMPLES, HELD_OUT))
    sample_distances, held_out_distances = distances(random, SAMPLES), CASES["data"](random, HELD_OUT)
    near = Nearest(
        *(
            torch.from_numpy(x)
            for x in (np.float32(sample_distances), sample_cells, np.float32(held_out_distances), held_out_cells)
        )
    )
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=SAMPLES, chunk=1)
    x = torch.zeros(SAMPLES, 1)
    return FeatureSets(
        x, x, Moments(SAMPLES, x[0], x[:1]), protocol, groups(SAMPLES, random.randint(2**31)), nearest=near
    )


def jackknife_alone(features: FeatureSets) -> tuple[Estimate, Estimate]:
    """Return `near_copies` and C_T with their former intervals: the samples' jackknife."""
    whole, figure = near_copies(features), c_t(features)
    assert whole is not None
    assert figure is not None
    assert features.nearest is not None
    without = []
    for group in range(int(features.groups.max()) + 1):
        keep = features.groups != group
        near = replace(
            features.nearest,
            generated=features.nearest.generated[keep],
            generated_cells=features.nearest.generated_cells[keep],
        )
        part = near_copies(replace(features, nearest=near))
        assert part is not None
        without.append(part.value)
    return Estimate(whole.value, torch.tensor(without).double()), replace(figure, extra=None)


def study() -> Study:
    lines = [["samples", "figure", "mean", "held before", "held now", "length now / 3.92 deviations"]]
    figures: dict[str, Any] = {}
    for case, distances in CASES.items():
        random = np.random.RandomState(key("copies_intervals study", SEED))
        draws = [sets(distances, random) for _ in range(DRAWS)]
        before = [jackknife_alone(draw) for draw in draws]
        now = [(near_copies(draw), c_t(draw)) for draw in draws]
        for place, figure in enumerate(("near_copies", "c_t")):
            truth, spread = summary([pair[place] for pair in now])
            held = [coverage([pair[place] for pair in pairs], truth) for pairs in (before, now)]
            length = float(np.mean([high - low for low, high in intervals([pair[place] for pair in now])]))
            ratio = length / (3.92 * spread) if spread else float("nan")
            figures.setdefault(case, {})[figure] = {
                "mean": truth, "deviation": spread, "held before": held[0], "held now": held[1], "length": length,
            }  # fmt: skip
            lines.append([case, figure, f"{truth:.3g}", f"{held[0]:.1%}", f"{held[1]:.1%}", f"{ratio:.2f}"])
    return Study(
        f"Distances of {SAMPLES:,} samples and {HELD_OUT:,} held-out images in ten cells were drawn {DRAWS:,} times "
        f"from gamma distributions of shape {SHAPE}. The share of 95% intervals that hold the figure's mean over all "
        f"draws is given (standard error {100 * (0.05 * 0.95 / DRAWS) ** 0.5:.1f} points): before, by the "
        "samples' jackknife, and now. The last column is 1 for an interval of the right length of a Gaussian figure.",
        SEED,
        [("Share of 95% intervals that hold", lines)],
        figures,
    )


def summary(estimates: list[Estimate | None]) -> tuple[float, float]:
    """Return mean and deviation of the figures."""
    values = [estimate.value for estimate in estimates if estimate]
    return float(np.mean(values)), float(np.std(values))


def intervals(estimates: list[Estimate | None]) -> list[tuple[float, float]]:
    return [estimate.interval for estimate in estimates if estimate and estimate.interval]


def coverage(estimates: list[Estimate | None], truth: float) -> float:
    """Return the share of intervals that contain the truth, within rounding."""
    ends = intervals(estimates)
    return float(np.mean([low - 1e-9 <= truth <= high + 1e-9 for low, high in ends]))
