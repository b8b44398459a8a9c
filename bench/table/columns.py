"""The table's columns as data: all facts about each figure, in one place."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bench.evaluation.metrics.registry import METRICS
from bench.results.records import MetricColumn, Result
from bench.table.figure import UNBOUNDED, Bounds, Figure

NONE = "–"  # nothing was measured
SIGNIFICANT = "three significant digits"
ONE = Fraction(1)
SHARE, POSITIVE = (0.0, 1.0), (0.0, math.inf)


@dataclass(frozen=True)
class Column:
    """All facts about a figure.

    key: its name in records and files.
    heading: its heading in tables.
    form: its format, or SIGNIFICANT.
    better: "lower", "higher", or "" where neither is.
    bounds: the range of the true figure, in the column's unit.
    scale: the column's unit over the record's.
    about: its definition and source, in a clause.
    group: its group in W&B's summary, under "group/key"; "" where it is not sent there.
    varies: whether it varies between training seeds; False for figures fixed by settings or data, and for errors.
    machine: "sampling" or "training" for a time or a memory size of that; such figures compare on one machine only.
    optional: whether files leave it out where no row has it; others have the column then, but empty.
    """

    key: str
    heading: str
    form: str
    better: str = ""
    bounds: Bounds = UNBOUNDED
    scale: Fraction = ONE
    about: str = ""
    group: str = ""
    varies: bool = True
    machine: str = ""
    optional: bool = False

    def show(self, figure: Figure | None) -> str:
        """Format as `value ± half` where the interval is symmetric, as `value (low – high)` where it is not."""
        if figure is None:
            return NONE
        if figure.interval is None:
            return self.number(figure.value)
        if figure.half is not None:
            return f"{self.number(figure.value)} ± {self.number(figure.half)}"
        low, high = map(self.number, figure.interval)
        return f"{self.number(figure.value)} ({low} – {high})"

    def number(self, value: float) -> str:
        if self.form == SIGNIFICANT:
            return f"{float(f'{value:.3g}'):,.12g}"  # never 3.5e+03
        text = f"{value:{self.form}}"
        return text if not value or float(text.replace(",", "")) else f"{value:.1g}"  # a small figure is not 0


def metric_column(
    key: str, heading: str, form: str, bounds: Bounds, group: str, scale: Fraction = ONE, optional: bool = False
) -> Column:
    """Return the column of a metric, with the direction and source of METRICS."""
    metric = METRICS[key]
    better = "" if metric.direction == "neither" else metric.direction
    return Column(key, heading, form, better, bounds, scale, metric.source, group, optional=optional)


QUALITY = (
    metric_column("fid", "FID", ".2f", POSITIVE, "quality"),
    metric_column("kid", "KID × 1000", ".2f", UNBOUNDED, "quality", scale=Fraction(1000)),
    metric_column("fd_random", "FD (random) × 1000", ".2f", POSITIVE, "quality", scale=Fraction(1000), optional=True),
    metric_column("fld", "FLD", ".2f", UNBOUNDED, "quality", optional=True),
    metric_column("precision", "precision", ".3f", SHARE, "quality"),
    metric_column("recall", "recall", ".3f", SHARE, "coverage"),
    metric_column("density", "density", ".3f", POSITIVE, "quality"),
    metric_column("coverage", "coverage", ".3f", SHARE, "coverage"),
    metric_column("clipped_density", "clipped density", ".3f", SHARE, "quality", optional=True),
    metric_column("clipped_coverage", "clipped coverage", ".3f", SHARE, "coverage", optional=True),
    metric_column("modes", "modes", SIGNIFICANT, POSITIVE, "coverage"),
    metric_column("mode_kl", "mode KL", ".3f", POSITIVE, "coverage"),
    metric_column("high_quality", "high quality", ".3f", SHARE, "quality"),
    metric_column("class_entropy", "class entropy", ".3f", POSITIVE, "coverage"),
    metric_column("inception_score", "IS", ".2f", (1.0, math.inf), "quality"),
    metric_column("vendi", "Vendi", ".2f", (1.0, math.inf), "coverage"),
    metric_column("c_t", "C_T", ".1f", UNBOUNDED, "quality"),
    metric_column("fld_gap", "FLD gap", ".2f", UNBOUNDED, "quality", optional=True),
    metric_column("near_copies", "near-copies, × expected", ".2f", POSITIVE, "quality"),
    metric_column("aligned_copies", "aligned near-copies, × expected", ".2f", POSITIVE, "quality"),
    metric_column("exact_copies", "exact copies", SIGNIFICANT, POSITIVE, "quality"),
)
LABELS = (
    metric_column("class_accuracy", "class accuracy", ".3f", SHARE, "labels", optional=True),
    metric_column("cas", "CAS", ".3f", SHARE, "labels", optional=True),
    metric_column("intra_fid", "intra-FID", ".2f", POSITIVE, "labels", optional=True),
    metric_column("digit_words", "digits obeyed", ".3f", SHARE, "labels", optional=True),
    metric_column("attribute_words", "attributes obeyed", ".3f", SHARE, "labels", optional=True),
    metric_column("new_digit_words", "digits obeyed, new", ".3f", SHARE, "labels", optional=True),
    metric_column("new_attribute_words", "attributes obeyed, new", ".3f", SHARE, "labels", optional=True),
    metric_column("reordered_words", "words obeyed, reordered", ".3f", SHARE, "labels", optional=True),
)
COST = (
    Column(
        "nfe", "NFE", ".0f", "lower", POSITIVE,
        about="evaluations of the networks for one image, counted by a hook", group="speed", varies=False,
    ),
    Column(
        "seconds_per_100", "s / 100 images", SIGNIFICANT, "lower", POSITIVE,
        about="mean of the medians of blocks of calls after a warm-up, the device synchronised", group="speed",
        machine="sampling",
    ),
    Column(
        "images_per_second", "images/s", ",.0f", "higher", POSITIVE,
        about="from the same calls as the seconds for 100 images", group="speed", machine="sampling",
    ),
    Column(
        "latency_ms", "one image, ms", SIGNIFICANT, "lower", POSITIVE, Fraction(1000),
        about="time of a call for one image, by medians of blocks likewise", group="speed", machine="sampling",
    ),
    Column(
        "peak_memory_mb", "sampling peak, MB", ",.0f", "lower", POSITIVE,
        about="peak memory while sampling, in units of 2^20 bytes", group="cost", machine="sampling",
    ),
    Column(
        "parameters", "weights, M", ".2f", "", POSITIVE, Fraction(1, 10**6),
        about="trainable parameters of the whole model, in millions", group="cost", varies=False,
    ),
    Column(
        "images_seen", "images seen, k", ",.0f", "", POSITIVE, Fraction(1, 1000),
        about="the budget of the training, in thousands of images", group="cost", varies=False,
    ),
    Column(
        "train_minutes", "training, min", ".1f", "", POSITIVE, Fraction(1, 60),
        about="wall-clock time of the training alone, in minutes", group="cost", machine="training",
    ),
)  # fmt: skip
BIAS = (
    Column("fid_quarter", "FID, n/4", ".2f", "lower", POSITIVE, about="FID of the first quarter of the samples"),
    Column("fid_half", "FID, n/2", ".2f", "lower", POSITIVE, about="FID of the first half of the samples"),
    metric_column("fid", "FID, n", ".2f", POSITIVE, "quality"),
    metric_column("fid_infinity", "FID∞", ".2f", UNBOUNDED, ""),
)
OWN = "Metrics of your own"
BLOCKS: dict[str, Sequence[Column]] = {
    "Quality and coverage": QUALITY,
    "Labels and words": LABELS,
    "FID by the number of samples": BIAS,
    "Cost": COST,
}
BY_KEY = {column.key: column for column in (*BIAS, *QUALITY, *LABELS, *COST)}
COLUMNS = tuple(BY_KEY.values())


@dataclass(frozen=True)
class Section:
    """A table of the tasks beside sampling, with a line for each `first`."""

    key: str
    title: str
    first: str
    columns: tuple[Column, ...]
    about: str


LIKELIHOOD = (
    Column("bits_per_dim", "bits/dim", ".3f", "lower", POSITIVE),
    Column("standard_error", "standard error", ".3f", "", POSITIVE, varies=False),
)
SECTIONS = (
    Section(
        "compression", "Reconstruction and features", "model",
        (
            Column("mse", "MSE × 1000", SIGNIFICANT, "lower", POSITIVE, Fraction(1000)),
            Column("psnr", "PSNR, dB", ".1f", "higher"),
            Column("ssim", "SSIM", ".3f", "higher", (-1.0, 1.0)),
            Column("linear_probe", "linear probe", ".3f", "higher", SHARE),
            Column("knn", "5-NN", ".3f", "higher", SHARE),
            Column("features", "features", ",.0f", "", POSITIVE, varies=False),
        ),
        "Reconstructions of held-out images, pixels in [0, 1]; accuracy of a logistic regression and of the five "
        "nearest training images on the model's frozen features, for held-out images",
    ),
    Section(
        "likelihood", "Bits/dim", "model: bound", LIKELIHOOD,
        "Upper bounds on -log2 p(x) per dimension of held-out 8-bit images; an exact likelihood is its own bound",
    ),
    Section(
        "binary_likelihood", "Bits/dim of binary images", "model: bound", LIKELIHOOD,
        "Upper bounds on -log2 p(x) per dimension of held-out images whose values are 1 above the middle level and -1 "
        "below it: they do not compare with bounds of 8-bit images",
    ),
    Section(
        "denoising", "Denoising", "model: noise",
        (
            Column("psnr_noisy", "PSNR before, dB", ".1f", varies=False),
            Column("psnr", "PSNR after, dB", ".1f", "higher"),
            Column("ssim_noisy", "SSIM before", ".3f", "", (-1.0, 1.0), varies=False),
            Column("ssim", "SSIM after", ".3f", "higher", (-1.0, 1.0)),
        ),
        "Held-out images with noise, before and after denoising by the model",
    ),
)  # fmt: skip
EVERY = {column.key: column for columns in (COLUMNS, *(section.columns for section in SECTIONS)) for column in columns}


def own_columns(results: Iterable[Result]) -> tuple[Column, ...]:
    """Return a column for each metric in results that is not the suite's; its heading is its name if none is recorded.

    Where results disagree about a column, the last one counts.
    """
    columns: dict[str, Column] = {}
    for result in results:
        for key in sorted(result.metrics.keys() - METRICS.keys() - BY_KEY.keys()):
            facts = result.columns.get(key, MetricColumn())
            better = "" if facts.direction == "neither" else facts.direction
            form = facts.form or SIGNIFICANT
            columns[key] = Column(key, facts.heading or key, form, better, about=facts.source, optional=True)
    return tuple(columns.values())


def blocks_of(own: Sequence[Column]) -> dict[str, Sequence[Column]]:
    """Return BLOCKS, and one of the user's own metrics if there are any."""
    return BLOCKS | ({OWN: own} if own else {})


def columns_of(keys: Collection[str], own: Sequence[Column] = ()) -> list[Column]:
    """Return the columns of files whose rows have the figures `keys`; own: of metrics of the user's own."""
    return [column for column in (*COLUMNS, *own) if column.key in keys or not column.optional]


def in_units(key: str, figure: Figure) -> Figure:
    """Convert a recorded figure to its column's unit and bounds; return one without a column unchanged."""
    column = EVERY.get(key)
    return figure if column is None else figure.scaled(column.scale).within(column.bounds)


def keys_on(machine: str) -> tuple[str, ...]:
    """Return the keys of the figures that compare on one machine only: of "sampling" or of "training"."""
    return tuple(column.key for column in COLUMNS if column.machine == machine)
