"""The registry of metrics: name, direction, source, function, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bench.evaluation.metrics.feature_sets import FeatureSets
    from bench.evaluation.metrics.intervals import Estimate

PACKAGE = "bench.evaluation.metrics."
OTHER_FIGURES = (  # keys of the table that are no metrics; a metric of the user's own takes none of them
    *("fid_quarter", "fid_half", "nfe", "seconds_per_100", "images_per_second", "latency_ms", "peak_memory_mb"),
    *("parameters", "images_seen", "train_minutes"),
    *("row", "family", "sampler", "headline", "seeds", "machine", "protocols", "flags", "stamp"),
)
SEES = "a classifier of each channel, taught by held-out images,"
MEASURES = "the strokes' measured width and lean obey"


@dataclass(frozen=True)
class Metric:
    """One metric.

    function: maps feature sets to an estimate, None where there is none; or its "file:function" in this package.
    direction: which figures are better.
    applies: whether feature sets have what the metric needs.
    version: raised by one whenever a change of the code changes the figure, its interval or where it applies; recorded
    figures of another version are computed again. Of a metric of the user's own, a digest of its source files.
    given: whether it needs samples of given labels, so that rows of other models never lack it. captioned: likewise of
    given captions.
    """

    name: str
    direction: Literal["lower", "higher", "neither"]
    source: str
    function: Callable[["FeatureSets"], "Estimate | None"] | str
    applies: Callable[["FeatureSets"], bool] = lambda sets: True
    version: int | str = 1
    given: bool = False
    captioned: bool = False

    def compute(self, sets: "FeatureSets") -> "Estimate | None":
        """Call the function, which is imported here, so that names and directions are read without torch."""
        function = resolve_name(PACKAGE + self.function) if isinstance(self.function, str) else self.function
        estimate: Estimate | None = function(sets)
        return estimate


def of_images(sets: "FeatureSets") -> bool:
    return sets.protocol.quantisation == "uint8"


def with_reference_features(sets: "FeatureSets") -> bool:
    """More than the moments of the reference, which a file of statistics holds alone."""
    return len(sets.reference) > 0


def in_second_space(sets: "FeatureSets") -> bool:
    return sets.random is not None


def with_modes(sets: "FeatureSets") -> bool:
    return sets.modes is not None


def with_held_out(sets: "FeatureSets") -> bool:
    return sets.nearest is not None


def with_held_out_features(sets: "FeatureSets") -> bool:
    return sets.held_out is not None


def with_pixels(sets: "FeatureSets") -> bool:
    return sets.copies is not None


def with_labels(sets: "FeatureSets") -> bool:
    return sets.labelled is not None


def with_words(sets: "FeatureSets") -> bool:
    return sets.words is not None


def with_density(sets: "FeatureSets") -> bool:
    """Points of a mixture, where a sample may be of no mode."""
    return with_modes(sets) and not of_images(sets)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "fid",
            "lower",
            "Heusel et al. 2017, arXiv:1706.08500",
            "fid:fid",
            version=2,
        ),
        Metric(
            "fid_infinity",
            "lower",
            "Chong & Forsyth 2020, arXiv:1911.07023",
            "fid:fid_infinity",
            version=2,
        ),
        Metric(
            "fd_random",
            "lower",
            "fid in features of the randomly initialised network of sha c1a3606a, after Naeem et al. 2020, "
            "arXiv:2002.09797",
            "fid:fd_random",
            in_second_space,
        ),
        Metric(
            "kid",
            "lower",
            "Bińkowski et al. 2018, arXiv:1801.01401",
            "kid:kid",
            with_reference_features,
            version=2,
        ),
        Metric(
            "precision",
            "higher",
            "Kynkäänniemi et al. 2019, arXiv:1904.06991",
            "manifold:precision",
            with_reference_features,
            version=2,
        ),
        Metric(
            "recall",
            "higher",
            "Kynkäänniemi et al. 2019, arXiv:1904.06991",
            "manifold:recall",
            with_reference_features,
            version=2,
        ),
        Metric(
            "density",
            "higher",
            "Naeem et al. 2020, arXiv:2002.09797",
            "manifold:density",
            with_reference_features,
            version=2,
        ),
        Metric(
            "coverage",
            "higher",
            "Naeem et al. 2020, arXiv:2002.09797",
            "manifold:coverage",
            with_reference_features,
            version=2,
        ),
        Metric(
            "clipped_density",
            "higher",
            "Salvy et al. 2025, arXiv:2507.01761",
            "clipped:clipped_density",
            with_reference_features,
        ),
        Metric(
            "clipped_coverage",
            "higher",
            "Salvy et al. 2025, arXiv:2507.01761",
            "clipped:clipped_coverage",
            with_reference_features,
        ),
        Metric(
            "fld",
            "lower",
            "Jiralerspong et al. 2023, arXiv:2302.04440",
            "fld:fld",
            with_held_out_features,
        ),
        Metric(
            "fld_gap",
            "neither",
            "Jiralerspong et al. 2023, arXiv:2302.04440; far below 0: copies",
            "fld:fld_gap",
            with_held_out_features,
        ),
        Metric(
            "vendi",
            "higher",
            "Friedman & Dieng 2023, arXiv:2210.02410",
            "diversity:vendi",
            of_images,
            version=2,
        ),
        Metric(
            "inception_score",
            "higher",
            "Salimans et al. 2016, arXiv:1606.03498",
            "diversity:inception_score",
            lambda sets: sets.logits is not None,
            version=2,
        ),
        Metric(
            "class_entropy",
            "higher",
            "entropy of the modes' histogram, in nats",
            "diversity:class_entropy",
            with_modes,
            version=2,
        ),
        Metric(
            "modes",
            "higher",
            "Metz et al. 2017, arXiv:1611.02163",
            "modes:modes_found",
            with_modes,
            version=2,
        ),
        Metric(
            "mode_kl",
            "lower",
            "Metz et al. 2017, arXiv:1611.02163",
            "modes:mode_kl",
            with_modes,
            version=2,
        ),
        Metric(
            "high_quality",
            "higher",
            "Srivastava et al. 2017, arXiv:1705.07761",
            "modes:high_quality",
            with_density,
            version=2,
        ),
        Metric(
            "c_t",
            "neither",
            "Meehan et al. 2020, arXiv:2004.05675; far below 0: copies",
            "memorisation:c_t",
            with_held_out,
            version=2,
        ),
        Metric(
            "near_copies",
            "neither",
            "samples as near to training images as 1% of held-out images, over the number expected: 1 for data",
            "memorisation:near_copies",
            with_held_out,
            version=2,
        ),
        Metric(
            "exact_copies",
            "neither",
            "samples that are byte for byte equal to a training image",
            "copies:exact_copies",
            with_pixels,
        ),
        Metric(
            "aligned_copies",
            "neither",
            "near_copies by aligned pixels, after Carlini et al. 2023, arXiv:2301.13188: 1 for data",
            "copies:aligned_copies",
            with_pixels,
        ),
        Metric(
            "class_accuracy",
            "higher",
            "share of samples in which a classifier, taught by half of the held-out images, sees the given label",
            "labels:class_accuracy",
            with_labels,
            given=True,
        ),
        Metric(
            "cas",
            "higher",
            "Ravuri & Vinyals 2019, arXiv:1905.10887: accuracy on held-out images of a classifier taught by samples",
            "labels:classification_accuracy_score",
            with_labels,
            given=True,
        ),
        Metric(
            "intra_fid",
            "lower",
            "Miyato & Koyama 2018, arXiv:1802.05637: the mean over classes of their FID",
            "labels:intra_fid",
            with_labels,
            given=True,
        ),
        *(
            Metric(name, "higher", source, f"words:{name}", with_words, captioned=True)
            for name, source in (
                ("digit_words", f"share of the captions' digits that {SEES} sees; captions as in training"),
                ("attribute_words", f"share of the captions' attributes that {MEASURES}; captions as in training"),
                ("new_digit_words", f"share of digits that {SEES} sees; combinations that training never describes"),
                ("new_attribute_words", f"share of attributes that {MEASURES}; such combinations"),
                ("reordered_words", "share of digits and attributes seen; orders of colours that training never has"),
            )
        ),
    )
}


def expected(given: bool, captioned: bool = False) -> tuple[str, ...]:
    """Return the names of the metrics of samples; given, captioned: of a model that is given labels, or captions."""
    return tuple(
        name for name, metric in METRICS.items() if (given or not metric.given) and (captioned or not metric.captioned)
    )
