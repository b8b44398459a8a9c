"""The table as data: what stands in its columns, the rules of its marks, and the lecture's own marks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.table.figure import UNBOUNDED, Bounds, Figure

FAMILIES = {"autoregressive-vae": "Autoregressive, VAEs", "gan": "GANs", "diffusion": "Diffusion models"}
# compared with in the figures, and no line of the lecture's table
REFERENCE = {"autoencoder": "Autoencoders", "outside": "Other programs"}
BASELINES = {  # records of family "data", by their model's name: what they are called
    "held-out": "held-out images",
    "class-missing": "held-out, 1 in 10 classes missing",
    "one-in-ten-spoiled": "held-out, 1 in 10 images spoiled",
}

UNSURE = "≈"  # the figure and the rule's bar are not distinguishable
NONE = "–"  # nothing was measured
SIGNIFICANT = "three significant digits"
# without an interval over seeds: what the settings and the held-out images give alone, and what is an error itself
SET = ("nfe", "parameters", "images_seen", "features", "psnr_noisy", "ssim_noisy", "standard_error")
TIMES = ("seconds_per_100", "images_per_second", "latency_ms", "peak_memory_mb")  # of sampling: depend on the machine
SHARE, POSITIVE = (0.0, 1.0), (0.0, math.inf)


@dataclass(frozen=True)
class Column:
    """A figure: its key, its heading, how it is printed and which way is better ("" where neither is).

    bounds: what the true figure cannot leave, in the column's unit.
    """

    key: str
    heading: str
    form: str
    better: str = ""
    bounds: Bounds = UNBOUNDED

    def show(self, figure: Figure | None) -> str:
        """`value ± half` where the interval is symmetric, `value (low – high)` where it is not."""
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
        shown = f"{value:{self.form}}"
        return shown if not value or float(shown.replace(",", "")) else f"{value:.1g}"  # a small figure is not 0


QUALITY = (
    Column("fid", "FID", ".2f", "lower", POSITIVE),
    Column("kid", "KID × 1000", ".2f", "lower"),
    Column("precision", "precision", ".3f", "higher", SHARE),
    Column("recall", "recall", ".3f", "higher", SHARE),
    Column("density", "density", ".3f", "higher", POSITIVE),
    Column("coverage", "coverage", ".3f", "higher", SHARE),
    Column("modes", "modes", SIGNIFICANT, "higher", POSITIVE),
    Column("mode_kl", "mode KL", ".3f", "lower", POSITIVE),
    Column("high_quality", "high quality", ".3f", "higher", SHARE),
    Column("class_entropy", "class entropy", ".3f", "higher", POSITIVE),
    Column("inception_score", "IS", ".2f", "higher", (1.0, math.inf)),
    Column("vendi", "Vendi", ".2f", "higher", (1.0, math.inf)),
    Column("c_t", "C_T", ".1f"),
    Column("near_copies", "near-copies, × expected", ".2f", "", POSITIVE),
    Column("aligned_copies", "aligned near-copies, × expected", ".2f", "", POSITIVE),
    Column("exact_copies", "exact copies", SIGNIFICANT, "", POSITIVE),
)
COST = (
    Column("nfe", "NFE", ".0f", "lower", POSITIVE),
    Column("seconds_per_100", "s / 100 images", SIGNIFICANT, "lower", POSITIVE),
    Column("images_per_second", "images/s", ",.0f", "higher", POSITIVE),
    Column("latency_ms", "one image, ms", SIGNIFICANT, "lower", POSITIVE),
    Column("peak_memory_mb", "sampling peak, MB", ",.0f", "lower", POSITIVE),
    Column("parameters", "weights, M", ".2f", "", POSITIVE),
    Column("images_seen", "images seen, k", ",.0f", "", POSITIVE),
    Column("train_minutes", "training, min", ".1f", "", POSITIVE),
)
BIAS = (
    Column("fid_quarter", "FID, n/4", ".2f", "lower", POSITIVE),
    Column("fid_half", "FID, n/2", ".2f", "lower", POSITIVE),
    Column("fid", "FID, n", ".2f", "lower", POSITIVE),
    Column("fid_infinity", "FID∞", ".2f", "lower"),
)
BLOCKS = {"Quality and coverage": QUALITY, "FID by the number of samples": BIAS, "Cost": COST}
BY_KEY = {column.key: column for column in (*BIAS, *QUALITY, *COST)}
COLUMNS = tuple(BY_KEY.values())


@dataclass(frozen=True)
class Baseline:
    """A bar that no model moves: the figure of real images, times a factor, under the same protocol."""

    name: str  # of BASELINES
    factor: float = 1.0


@dataclass(frozen=True)
class Fastest:
    """A bar where real images have no figure: a factor times the least figure of a headline row."""

    factor: float


@dataclass(frozen=True)
class Rule:
    """A row of the lecture's table: ✓ where a model's figures are not worse than a bar's, × where they are.

    UNSURE where Welch's 95% interval of a figure's difference from the bar holds 0, or the keys do not agree.
    """

    title: str
    keys: tuple[str, ...]
    bar: Baseline | Fastest
    lecture: dict[str, str]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(BY_KEY[key] for key in self.keys)

    def mark(self, figures: Sequence[Figure], bars: Sequence[Figure]) -> str:
        """✓, × or UNSURE; figures and bars in the order of the keys."""
        pairs = zip(self.columns, figures, bars, strict=True)
        marks = {decision(figure, bar, column.better) for column, figure, bar in pairs}
        return marks.pop() if len(marks) == 1 else UNSURE

    def at(self, factor: float) -> "Rule":
        """The rule with its bar's factor at another value."""
        return replace(self, bar=replace(self.bar, factor=factor))


def decision(figure: Figure, bar: Figure, better: str) -> str:
    """✓ where the figure is as good as the bar or better, × where it is worse, UNSURE where chance may be either."""
    if figure.differs(bar) is False and figure.difference(bar).interval != (0.0, 0.0):
        return UNSURE
    return "✓" if figure.value == bar.value or (figure.value > bar.value) == (better == "higher") else "×"


LECTURE = {
    "Mode coverage / diversity": {"autoregressive-vae": "✓", "gan": "×", "diffusion": "✓"},
    "Fast sampling": {"autoregressive-vae": "✓", "gan": "✓", "diffusion": "×"},
    "High-quality samples": {"autoregressive-vae": "×", "gan": "✓", "diffusion": "✓"},
}
COVERAGE, SPEED, SHARPNESS = LECTURE
FAST = Rule(SPEED, ("seconds_per_100",), Fastest(10.0), LECTURE[SPEED])
RULES = (
    Rule(COVERAGE, ("coverage",), Baseline("class-missing"), LECTURE[COVERAGE]),
    FAST,
    Rule(SHARPNESS, ("precision",), Baseline("one-in-ten-spoiled"), LECTURE[SHARPNESS]),
)
# Points whose density is known need no features: FID of two coordinates sees little more than the mixture's outline.
POINT_RULES = (
    Rule(COVERAGE, ("modes",), Baseline("held-out", 0.9), LECTURE[COVERAGE]),
    FAST,
    Rule(SHARPNESS, ("high_quality",), Baseline("held-out", 0.9), LECTURE[SHARPNESS]),
)
SPEED_FACTORS = (3.0, 5.0, 10.0, 20.0, 50.0)  # at which the sensitivity block makes the marks again
BASELINE_FACTORS = (0.8, 0.9, 1.0, 1.1, 1.25)  # of the rule's own


@dataclass(frozen=True)
class Section:
    """A part of block three: what the models do beside sampling, a line for each `first`."""

    key: str
    title: str
    first: str
    columns: tuple[Column, ...]
    about: str


SECTIONS = (
    Section(
        "compression", "Reconstruction and features", "model",
        (
            Column("mse", "MSE × 1000", SIGNIFICANT, "lower", POSITIVE),
            Column("psnr", "PSNR, dB", ".1f", "higher"),
            Column("ssim", "SSIM", ".3f", "higher", (-1.0, 1.0)),
            Column("linear_probe", "linear probe", ".3f", "higher", SHARE),
            Column("knn", "5-NN", ".3f", "higher", SHARE),
            Column("features", "features", ",.0f", "", POSITIVE),
        ),
        "Held-out images through the model and back, pixels in [0, 1]; the share of held-out images whose class a "
        "logistic regression and the five nearest training images find from the model's frozen features",
    ),
    Section(
        "likelihood", "Bits/dim", "model: bound",
        (
            Column("bits_per_dim", "bits/dim", ".3f", "lower", POSITIVE),
            Column("standard_error", "standard error", ".3f", "", POSITIVE),
        ),
        "Upper bounds on -log2 p(x) a dimension of held-out 8-bit images; an exact likelihood is its own bound",
    ),
    Section(
        "denoising", "Denoising", "model: noise",
        (
            Column("psnr_noisy", "PSNR before, dB", ".1f"),
            Column("psnr", "PSNR after, dB", ".1f", "higher"),
            Column("ssim_noisy", "SSIM before", ".3f", "", (-1.0, 1.0)),
            Column("ssim", "SSIM after", ".3f", "higher", (-1.0, 1.0)),
        ),
        "Held-out images with noise, before and after the model took it away",
    ),
)  # fmt: skip
BOUNDS = {column.key: column.bounds for columns in (COLUMNS, *(one.columns for one in SECTIONS)) for column in columns}
