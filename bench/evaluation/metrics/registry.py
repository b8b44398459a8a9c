"""The registry of metrics: what each is called, which way is better, where it comes from, what it can be made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.evaluation.metrics.copies import aligned_copies, exact_copies
from bench.evaluation.metrics.diversity import class_entropy, inception_score, vendi
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.fid import fid, fid_infinity
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.kid import kid
from bench.evaluation.metrics.memorisation import c_t, near_copies
from bench.evaluation.metrics.modes import high_quality, mode_kl, modes_found


@dataclass(frozen=True)
class Metric:
    """`compute` maps feature sets to the figure, None where it has none; `direction` says which figures are better.

    `applies` says whether feature sets hold what the metric is made of. `version` rises by one whenever a change of the
    code changes the figure, its interval or where it applies: what is recorded of an older version is computed again.
    """

    name: str
    direction: Literal["lower", "higher", "neither"]
    source: str
    compute: Callable[[FeatureSets], Estimate | None]
    applies: Callable[[FeatureSets], bool] = lambda sets: True
    version: int = 1


def of_images(sets: FeatureSets) -> bool:
    return sets.protocol.quantisation == "uint8"


def with_modes(sets: FeatureSets) -> bool:
    return sets.modes is not None


def with_held_out(sets: FeatureSets) -> bool:
    return sets.nearest is not None


def with_pixels(sets: FeatureSets) -> bool:
    return sets.copies is not None


def with_density(sets: FeatureSets) -> bool:
    """Points of a mixture, where a sample may be of no mode."""
    return with_modes(sets) and not of_images(sets)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("fid", "lower", "Heusel et al. 2017, arXiv:1706.08500", fid, version=2),
        Metric("fid_infinity", "lower", "Chong & Forsyth 2020, arXiv:1911.07023", fid_infinity, version=2),
        Metric("kid", "lower", "Bińkowski et al. 2018, arXiv:1801.01401", kid, version=2),
        Metric(
            "precision", "higher", "Kynkäänniemi et al. 2019, arXiv:1904.06991", lambda s: s.manifolds.precision,
            version=2,
        ),
        Metric(
            "recall", "higher", "Kynkäänniemi et al. 2019, arXiv:1904.06991", lambda s: s.manifolds.recall, version=2,
        ),
        Metric(
            "density", "higher", "Naeem et al. 2020, arXiv:2002.09797", lambda s: s.manifolds.density, version=2,
        ),
        Metric(
            "coverage", "higher", "Naeem et al. 2020, arXiv:2002.09797", lambda s: s.manifolds.coverage, version=2,
        ),
        Metric("vendi", "higher", "Friedman & Dieng 2023, arXiv:2210.02410", vendi, of_images, version=2),
        Metric(
            "inception_score", "higher", "Salimans et al. 2016, arXiv:1606.03498", inception_score,
            lambda sets: sets.logits is not None, version=2,
        ),
        Metric(
            "class_entropy", "higher", "entropy of the modes' histogram, in nats", class_entropy, with_modes, version=2,
        ),
        Metric("modes", "higher", "Metz et al. 2017, arXiv:1611.02163", modes_found, with_modes, version=2),
        Metric("mode_kl", "lower", "Metz et al. 2017, arXiv:1611.02163", mode_kl, with_modes, version=2),
        Metric(
            "high_quality", "higher", "Srivastava et al. 2017, arXiv:1705.07761", high_quality, with_density, version=2,
        ),
        Metric(
            "c_t", "neither", "Meehan et al. 2020, arXiv:2004.05675; far below 0: copies", c_t,
            with_held_out, version=2,
        ),
        Metric(
            "near_copies", "neither",
            "samples as near to training images as 1% of held-out images, over the number expected: 1 for data",
            near_copies, with_held_out, version=2,
        ),
        Metric(
            "exact_copies", "neither", "samples that are byte for byte equal to a training image",
            exact_copies, with_pixels,
        ),
        Metric(
            "aligned_copies", "neither",
            "near_copies by aligned pixels, after Carlini et al. 2023, arXiv:2301.13188: 1 for data",
            aligned_copies, with_pixels,
        ),
    )
}  # fmt: skip
