"""Estimate the coverage and the length of the 95% intervals of metrics and timings."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.feature_sets import FeatureSets, ModeCount
from bench.evaluation.metrics.intervals import Estimate, groups, half_width, jackknife
from bench.evaluation.metrics.modes import histograms
from bench.evaluation.metrics.prdc import _balls, _count
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol
from bench.evaluation.timing import in_blocks
from bench.selftest.study import Study
from bench.table.text import Grid

SEED = 0
DRAWS = 100
N, D = 300, 8  # samples, and dimensions of the Gaussian features
CALLS, MEMORY = 50, 0.5  # timed calls, and the correlation of one with the next
MANIFOLD = ("precision", "recall", "density", "coverage")
ABOUT = (
    f"Nominal 95% intervals over {DRAWS} independent draws of samples and, where the metric has one, of the reference: "
    "the share that holds the mean of the figure over all draws, with its Monte-Carlo error, and the intervals' mean "
    "length over the length 2 x 1.96 deviations that the figure really has. `before` is the interval of the plain "
    "delete-a-group jackknife over samples against one reference subset (the Inception score: of one part, beside the "
    "mean over ten; timings: of the mean of calls, beside their median). Features are Gaussian of "
    f"{D} dimensions, {N} samples: like the data, narrower and shifted, or against a reference with heavy tails."
)

Draw = tuple[float, tuple[float, float]]  # a figure and its interval


@dataclass(frozen=True)
class Coverage:
    """One metric in one case: the share of intervals that contain the truth, its error, and their relative length."""

    held: float
    error: float
    length: float


@dataclass(frozen=True)
class Row:
    metric: str
    case: str
    before: Coverage | None
    after: Coverage


def study() -> Study:
    """Measure every metric with an interval, in cases where the interval is known to be difficult."""
    rows = [*manifold_rows(), *distance_rows(), *mode_rows(), *other_rows()]
    head = ["metric", "case", "before: held", "length", "now: held", "length"]
    grid: Grid = [head, *([row.metric, row.case, *texts(row.before), *texts(row.after)] for row in rows)]
    figures = {f"{row.metric}, {row.case}": {"before": row.before and vars(row.before), "after": vars(row.after)}
               for row in rows}  # fmt: skip
    return Study(ABOUT, SEED, [("Coverage of nominal 95% intervals", grid)], figures, lambda: picture(rows))


def texts(coverage: Coverage | None) -> list[str]:
    if coverage is None:
        return ["", ""]
    length = "" if math.isnan(coverage.length) else f"{coverage.length:.2f}"
    return [f"{coverage.held:.0%} ± {coverage.error:.0%}", length]


def coverage(draws: list[Draw]) -> Coverage:
    values, ends = np.array([value for value, _ in draws]), np.array([interval for _, interval in draws])
    truth, true_length = values.mean(), 2 * 1.96 * values.std(ddof=1)
    held = float(np.mean((ends[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= ends[:, 1])))
    p = (held * len(draws) + 1) / (len(draws) + 2)  # no error of 0 where all hold
    length = float(np.mean(ends[:, 1] - ends[:, 0]) / true_length) if true_length > 1e-9 else math.nan
    return Coverage(held, math.sqrt(p * (1 - p) / len(draws)), length)


def normal(n: int, seed: int, dim: int = D) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sets(y: Tensor, x: Tensor, seed: int, **extra: object) -> FeatureSets:
    protocol = Protocol(data="-", extractor="-", extractor_digest="0", reference_digest="0", samples=len(y), chunk=1,
                        seed=seed, kid_subset_size=min(100, len(y)), kid_subsets=50)  # fmt: skip
    return FeatureSets(y, x, Moments.from_features(x), protocol, groups(len(y), seed), **extra)  # type: ignore[arg-type]


def figure(name: str, features: FeatureSets) -> Estimate:
    estimate = METRICS[name].compute(features)
    assert estimate is not None
    return estimate


def draw(estimate: Estimate) -> Draw:
    assert estimate.interval is not None
    return estimate.value, estimate.interval


def plain(estimate: Estimate) -> Draw:
    """Return the interval of the plain delete-a-group jackknife."""
    value, half = estimate.value, Estimate(estimate.value, estimate.without).half_width
    assert half is not None
    return value, (value - half, value + half)


def by_groups(values: Callable[[Tensor], Tensor], groups_of: Tensor) -> list[Draw]:
    """Return plain jackknives of figures of some samples, `values`: bool N -> float64 K."""
    whole = values(torch.ones(len(groups_of), dtype=torch.bool))
    without = torch.stack([values(groups_of != g) for g in range(int(groups_of.max()) + 1)])
    return [plain(Estimate(float(value), column)) for value, column in zip(whole, without.T, strict=True)]


def four(y: Tensor, x: Tensor) -> Tensor:
    """Compute precision, recall, density and coverage of one reference subset."""
    count = _count(y, _balls(y, 3, 3).closed, x, _balls(x, 3, 5))
    return torch.stack([count.precise.mean(), count.recalled.mean(), count.inside.mean() / 5, count.covered.mean()])


def heavy(n: int, seed: int) -> Tensor:
    return normal(n, seed) * (normal(n, seed + 1_000_000, 1).abs() + 0.3)


def manifold_rows() -> list[Row]:
    cases: list[tuple[str, int, Callable[[int], Tensor], Callable[[int, int], Tensor]]] = [
        ("like the data, 8 subsets", 8, lambda s: normal(N, s), normal),
        ("narrower, 8 subsets", 8, lambda s: 0.7 * normal(N, s) + 0.2, normal),
        ("heavy tails, 8 subsets", 8, lambda s: 0.9 * normal(N, s) + 0.2, heavy),
        ("like the data, 1 subset", 1, lambda s: normal(N, s), normal),
    ]
    rows = []
    for case, subsets, samples, reference in cases:
        after: dict[str, list[Draw]] = {name: [] for name in MANIFOLD}
        before: dict[str, list[Draw]] = {name: [] for name in MANIFOLD}
        for s in range(DRAWS):
            y, x = samples(s), reference(N * subsets, 5_000_000 + s)
            features = sets(y, x, s)
            old = by_groups(lambda mask, y=y, x=x: four(y[mask], x[:N]), features.groups)  # type: ignore[misc]
            for name, plain_draw in zip(MANIFOLD, old, strict=True):
                after[name].append(draw(figure(name, features)))
                before[name].append(plain_draw)
        rows += [Row(name, case, coverage(before[name]), coverage(after[name])) for name in MANIFOLD]
    return rows


def distance_rows() -> list[Row]:
    """Measure FID against a fixed reference, as its interval assumes, and KID against a drawn one."""
    fixed = normal(20_000, 7_000_000)
    cases = [("like the data", 1.0, 0.0), ("shifted by 0.1", 1.0, 0.1), ("narrower and shifted", 0.7, 0.3)]
    rows = []
    for case, scale, shift in cases:
        evaluations = [sets(scale * normal(N, s) + shift, fixed, s) for s in range(DRAWS)]
        for name in ("fid", "fid_infinity"):
            estimates = [figure(name, features) for features in evaluations]
            rows.append(Row(name, case, coverage(list(map(plain, estimates))), coverage(list(map(draw, estimates)))))
    for case, scale, shift in (cases[0], cases[2]):
        for subsets in (8, 1):
            estimates = [figure("kid", sets(scale * normal(N, s) + shift, normal(N * subsets, 5_000_000 + s), s))
                     for s in range(DRAWS)]  # fmt: skip
            rows.append(Row("kid", f"{case}, {subsets} subset(s)", None, coverage(list(map(draw, estimates)))))
    return rows


def with_modes(K: int, n: int, present: int, uneven: float | None, seed: int) -> FeatureSets:
    """Draw n samples of the first `present` of K modes, of equal weights or of Gamma weights of shape `uneven`."""
    weights = np.random.RandomState(1).gamma(uneven, size=present) if uneven else np.ones(present)
    assigned = np.random.RandomState(seed).choice(present, n, p=weights / weights.sum())
    x = torch.zeros(n, 2)
    return sets(x, x, seed, modes=ModeCount(torch.from_numpy(assigned), torch.full((K,), 1 / K).double()))


def mode_rows() -> list[Row]:
    rows = []
    for K, n, present, uneven in ((1000, 2000, 1000, None), (1000, 5000, 1000, None), (1000, 2000, 700, None),
                               (1000, 2000, 1000, 0.5), (25, 100, 25, 0.7), (10, 2000, 7, None)):  # fmt: skip
        evaluations = [with_modes(K, n, present, uneven, s) for s in range(DRAWS)]
        case = f"{present} of {K}{' uneven' if uneven else ''}, {n} samples"
        for name in ("modes", "mode_kl", "class_entropy"):
            estimates = [figure(name, features) for features in evaluations]
            counts = [histograms(features) for features in evaluations]
            old = [
                plain(Estimate(e.value, (c.sum(0) - c > 0).sum(1).double() if name == "modes" else e.without))
                for e, c in zip(estimates, counts, strict=True)
            ]
            rows.append(Row(name, case, coverage(old), coverage(list(map(draw, estimates)))))
    return rows


def other_rows() -> list[Row]:
    """Measure the Inception score, the Vendi score, a share near 1, and timings."""
    rows = []
    for scale in (1.0, 8.0):
        x = torch.zeros(N, 2)
        evaluations = [sets(x, x, s, logits=(scale * normal(N, s, 10)).float()) for s in range(DRAWS)]
        estimates = [figure("inception_score", features) for features in evaluations]
        halves = [jackknife(e.without, e.value) ** 0.5 * 2.09 for e in estimates if e.without is not None]
        old = [(ten, (ten - half, ten + half)) for ten, half in zip(map(ten_parts, evaluations), halves, strict=True)]
        now = coverage([draw(estimate) for estimate in estimates])
        rows.append(Row("inception_score", f"logits of deviation {scale:g}", coverage_of_other(old, estimates), now))
    estimates = [figure("vendi", sets(normal(N, s) + 0.3, normal(20, s), s)) for s in range(DRAWS)]
    rows.append(
        Row("vendi", "shifted by 0.3", coverage(list(map(plain, estimates))), coverage(list(map(draw, estimates))))
    )
    assignments = [
        torch.from_numpy(np.random.RandomState(s).choice(2, N, p=[0.01, 0.99])) - 1 for s in range(10 * DRAWS)
    ]
    x, certain = torch.zeros(N, 2), torch.ones(1).double()
    shares = [sets(x, x, s, modes=ModeCount(assigned, certain)) for s, assigned in enumerate(assignments)]
    old = [by_groups(lambda mask, a=a: (a[mask] >= 0).double().mean()[None], c.groups)[0]  # type: ignore[misc]
           for a, c in zip(assignments, shares, strict=True)]  # fmt: skip
    rows.append(
        Row("high_quality", "share of 0.99", coverage(old), coverage([draw(figure("high_quality", c)) for c in shares]))
    )
    series = [calls(s) for s in range(10 * DRAWS)]
    halves = [half_width(list(seconds)) for seconds in series]
    old = [
        (float(np.median(c)), (float(np.median(c)) - h, float(np.median(c)) + h))
        for c, h in zip(series, halves, strict=True)
    ]
    blocks = [in_blocks(list(seconds)) for seconds in series]
    now = coverage([(value, interval) for value, interval in blocks if interval])
    rows.append(Row("seconds_per_100", f"{CALLS} calls, correlation {MEMORY}", coverage(old), now))
    return rows


def coverage_of_other(old: list[Draw], estimates: list[Estimate]) -> Coverage:
    """Return the coverage of intervals around another figure than the one that they are reported for."""
    truth = float(np.mean([estimate.value for estimate in estimates]))
    held = float(np.mean([low <= truth <= high for _, (low, high) in old]))
    spread = 2 * 1.96 * np.std([value for value, _ in old], ddof=1)
    return Coverage(
        held, math.sqrt(held * (1 - held) / len(old)), float(np.mean([b - a for _, (a, b) in old]) / spread)
    )


def ten_parts(features: FeatureSets) -> float:
    """Return the mean of the Inception score over ten parts."""
    assert features.logits is not None
    x = torch.zeros(N, 2)
    parts = [sets(x[: len(part)], x, 0, logits=part) for part in features.logits.chunk(10)]
    return float(np.mean([figure("inception_score", part).value for part in parts]))


def calls(seed: int) -> np.ndarray:
    """Draw seconds of calls around 1, each correlated with the previous one, some of them disturbed."""
    random = np.random.RandomState(seed)
    noise, state = random.randn(CALLS), 0.0
    values = []
    for step in noise:
        state = MEMORY * state + math.sqrt(1 - MEMORY**2) * step
        values.append(1 + 0.02 * state)
    return np.array(values) + 0.3 * (random.rand(CALLS) < 0.03)


def picture(rows: list[Row]) -> bytes:
    """Plot the coverage of each row before and now, with two Monte-Carlo errors."""
    from matplotlib.figure import Figure

    image = Figure(figsize=(8, 0.2 * len(rows) + 1), layout="constrained")
    axes = image.subplots()
    for name, colour, offset in (("before", "tab:red", 0.15), ("after", "tab:blue", -0.15)):
        points = [(i, point) for i, row in enumerate(rows) if (point := getattr(row, name))]
        axes.errorbar([point.held for _, point in points], [i + offset for i, _ in points],
                      xerr=[2 * point.error for _, point in points], fmt="o", color=colour, markersize=3,
                      linewidth=1, label={"before": "before", "after": "now"}[name])  # fmt: skip
    axes.axvline(0.95, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{row.metric}: {row.case}" for row in rows], fontsize=7)
    axes.set_xlabel("share of nominal 95% intervals that hold the truth")
    axes.invert_yaxis()
    axes.legend(loc="lower left")
    file = io.BytesIO()
    image.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()
