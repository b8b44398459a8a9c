"""The rules of the marks as data: the figure that decides, its bar, and the lecture's own marks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.results.records import EXTERNAL_FAMILY
from bench.table.columns import BY_KEY, Column
from bench.table.figure import Figure

FAMILIES = {"autoregressive-vae": "Autoregressive, VAEs", "gan": "GANs", "diffusion": "Diffusion models"}
BEYOND = {  # families that the lecture has no word for, judged by the same rules
    "flow": "Flow matching, flow maps",
    "diffusion-gan": "Denoising diffusion GANs",
}
# families in the tables of figures only, not in the lecture's table
REFERENCE = {"autoencoder": "Autoencoders", EXTERNAL_FAMILY: "Other programs"}
BASELINES = {  # names of the records of family "data", by their model's name
    "held-out": "held-out images",
    "class-missing": "held-out, 1 in 10 classes missing",
    "one-in-ten-spoiled": "held-out, 1 in 10 images spoiled",
}

UNSURE = "≈"  # the figure and the rule's bar do not differ significantly


@dataclass(frozen=True)
class Baseline:
    """A bar that is independent of the models: the figure of real images, times a factor, under the same protocol."""

    name: str  # of BASELINES
    factor: float = 1.0


@dataclass(frozen=True)
class Fastest:
    """A bar for figures that real images do not have: a factor times the smallest figure of a headline row."""

    factor: float


@dataclass(frozen=True)
class Rule:
    """A criterion of the lecture's table: ✓ where a model's figures are not worse than a bar's, × where they are.

    UNSURE where Welch's 95% interval of a figure's difference from the bar contains 0, or the keys do not agree.
    """

    title: str
    keys: tuple[str, ...]
    bar: Baseline | Fastest
    lecture: dict[str, str]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(BY_KEY[key] for key in self.keys)

    def mark(self, figures: Sequence[Figure], bars: Sequence[Figure]) -> str:
        """Return ✓, × or UNSURE; figures and bars are in the order of the keys."""
        pairs = zip(self.columns, figures, bars, strict=True)
        marks = {decision(figure, bar, column.better) for column, figure, bar in pairs}
        return marks.pop() if len(marks) == 1 else UNSURE

    def at(self, factor: float) -> "Rule":
        """Return the rule with another factor of its bar."""
        return replace(self, bar=replace(self.bar, factor=factor))


def decision(figure: Figure, bar: Figure, better: str) -> str:
    """Return ✓ where the figure is as good as the bar or better, × where it is worse, UNSURE where neither is sure."""
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
# Points of a known density need no features: FID of two coordinates measures little more than the mixture's outline.
POINT_RULES = (
    Rule(COVERAGE, ("modes",), Baseline("held-out", 0.9), LECTURE[COVERAGE]),
    FAST,
    Rule(SHARPNESS, ("high_quality",), Baseline("held-out", 0.9), LECTURE[SHARPNESS]),
)
SPEED_FACTORS = (3.0, 5.0, 10.0, 20.0, 50.0)  # other factors in the sensitivity tables
BASELINE_FACTORS = (0.8, 0.9, 1.0, 1.1, 1.25)  # of the rule's own
