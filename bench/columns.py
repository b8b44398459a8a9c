"""The table as data: what stands in its columns, the rules of its marks, and the lecture's own marks."""

import math
from dataclasses import dataclass

FAMILIES = {"autoregressive-vae": "Autoregressive, VAEs", "gan": "GANs", "diffusion": "Diffusion models"}
# compared with in the figures, and no line of the lecture's table
REFERENCE = {"autoencoder": "Autoencoders", "outside": "Other programs"}

UNSURE = "≈"  # the figure and the rule's bound are not distinguishable
SIGNIFICANT = "three significant digits"
# without an interval over seeds: what the settings and the held-out images give alone, and what is an error itself
SET = ("nfe", "parameters", "images_seen", "features", "psnr_noisy", "ssim_noisy", "standard_error")


@dataclass(frozen=True)
class Column:
    """A figure: its key, its heading, how it is printed and which way is better ("" where neither is)."""

    key: str
    heading: str
    form: str
    better: str = ""

    def show(self, value: float | None, interval: float | None = None) -> str:
        if value is None:
            return "–"
        return self._number(value) + (f" ± {self._number(interval)}" if interval is not None else "")

    def _number(self, value: float) -> str:
        if self.form == SIGNIFICANT:
            return f"{float(f'{value:.3g}'):,.12g}"  # never 3.5e+03
        shown = f"{value:{self.form}}"
        return shown if not value or float(shown.replace(",", "")) else f"{value:.1g}"  # a small figure is not 0


QUALITY = (
    Column("fid", "FID", ".2f", "lower"),
    Column("kid", "KID × 1000", ".2f", "lower"),
    Column("precision", "precision", ".3f", "higher"),
    Column("recall", "recall", ".3f", "higher"),
    Column("density", "density", ".3f", "higher"),
    Column("coverage", "coverage", ".3f", "higher"),
    Column("modes", "modes", SIGNIFICANT, "higher"),
    Column("mode_kl", "mode KL", ".3f", "lower"),
    Column("high_quality", "high quality", ".3f", "higher"),
    Column("class_entropy", "class entropy", ".3f", "higher"),
    Column("inception_score", "IS", ".2f", "higher"),
    Column("vendi", "Vendi", ".2f", "higher"),
    Column("c_t", "C_T", ".1f"),
    Column("near_copies", "near-copies, × expected", ".2f"),
    Column("aligned_copies", "aligned near-copies, × expected", ".2f"),
    Column("exact_copies", "exact copies", SIGNIFICANT),
)
COST = (
    Column("nfe", "NFE", ".0f", "lower"),
    Column("seconds_per_100", "s / 100 images", SIGNIFICANT, "lower"),
    Column("images_per_second", "images/s", ",.0f", "higher"),
    Column("latency_ms", "one image, ms", SIGNIFICANT, "lower"),
    Column("peak_memory_mb", "sampling peak, MB", ",.0f", "lower"),
    Column("parameters", "weights, M", ".2f"),
    Column("images_seen", "images seen, k", ",.0f"),
    Column("train_minutes", "training, min", ".1f"),
)
BIAS = (
    Column("fid_quarter", "FID, n/4", ".2f", "lower"),
    Column("fid_half", "FID, n/2", ".2f", "lower"),
    Column("fid", "FID, n", ".2f", "lower"),
    Column("fid_infinity", "FID∞", ".2f", "lower"),
)
BLOCKS = {"Quality and coverage": QUALITY, "FID by the number of samples": BIAS, "Cost": COST}
COLUMNS = tuple({column.key: column for column in (*BIAS, *QUALITY, *COST)}.values())


@dataclass(frozen=True)
class Rule:
    """A row of the lecture's table: ✓ where a model's figure is within `factor` of the best contender's.

    UNSURE where the difference from that bound is no greater than its own 95% interval.
    """

    title: str
    key: str
    better: str
    factor: float
    lecture: dict[str, str]

    def mark(self, value: float, margin: float, best: float, best_margin: float) -> str:
        """✓, × or UNSURE; the margins are half widths of 95% intervals, 0 for a figure without one."""
        if value == best:
            return "✓"
        bound = self.factor * best
        if abs(value - bound) <= math.hypot(margin, self.factor * best_margin):
            return UNSURE
        return "✓" if (value > bound) == (self.better == "higher") else "×"

    @property
    def text(self) -> str:
        heading = next(column.heading for column in COLUMNS if column.key == self.key)
        bound = f"at least {self.factor:g} of" if self.better == "higher" else f"at most {self.factor:g} times"
        return f"{self.title}: ✓ where {heading} is {bound} the best of these models'"


LECTURE = {
    "Mode coverage / diversity": {"autoregressive-vae": "✓", "gan": "×", "diffusion": "✓"},
    "Fast sampling": {"autoregressive-vae": "✓", "gan": "✓", "diffusion": "×"},
    "High-quality samples": {"autoregressive-vae": "×", "gan": "✓", "diffusion": "✓"},
}
COVERAGE, SPEED, SHARPNESS = LECTURE
FAST = Rule(SPEED, "seconds_per_100", "lower", 10.0, LECTURE[SPEED])
RULES = (
    Rule(COVERAGE, "recall", "higher", 0.9, LECTURE[COVERAGE]),
    FAST,
    Rule(SHARPNESS, "fid", "lower", 2.0, LECTURE[SHARPNESS]),
)
# Points whose density is known need no features: FID of two coordinates sees little more than the mixture's outline.
POINT_RULES = (
    Rule(COVERAGE, "modes", "higher", 0.9, LECTURE[COVERAGE]),
    FAST,
    Rule(SHARPNESS, "high_quality", "higher", 0.9, LECTURE[SHARPNESS]),
)


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
            Column("mse", "MSE × 1000", SIGNIFICANT, "lower"),
            Column("psnr", "PSNR, dB", ".1f", "higher"),
            Column("ssim", "SSIM", ".3f", "higher"),
            Column("linear_probe", "linear probe", ".3f", "higher"),
            Column("knn", "5-NN", ".3f", "higher"),
            Column("features", "features", ",.0f"),
        ),
        "Held-out images through the model and back, pixels in [0, 1]; the share of held-out images whose class a "
        "logistic regression and the five nearest training images find from the model's frozen features",
    ),
    Section(
        "likelihood", "Bits/dim", "model: bound",
        (Column("bits_per_dim", "bits/dim", ".3f", "lower"), Column("standard_error", "standard error", ".3f")),
        "Upper bounds on -log2 p(x) a dimension of held-out 8-bit images; an exact likelihood is its own bound",
    ),
    Section(
        "denoising", "Denoising", "model: noise",
        (
            Column("psnr_noisy", "PSNR before, dB", ".1f"),
            Column("psnr", "PSNR after, dB", ".1f", "higher"),
            Column("ssim_noisy", "SSIM before", ".3f"),
            Column("ssim", "SSIM after", ".3f", "higher"),
        ),
        "Held-out images with noise, before and after the model took it away",
    ),
)  # fmt: skip
