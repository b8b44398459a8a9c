"""The cases as data: figure, expected value and measurement. The command prints them; the tests assert them."""

import math
from functools import partial

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate
from bench.evaluation.metrics.modes import by_classifier
from bench.evaluation.samples import Sample
from bench.selftest.inputs import BLURS, DRAWN, DROPPED, FEW, NOISES, POINTS, SAMPLES, TRIPLES, Inputs
from bench.selftest.kinds import (
    CHANCE,
    WIDTHS,
    Case,
    binomial,
    equal_kl,
    exactly,
    expected_coverage,
    figures,
    flags,
    frechet,
    half,
    monotone,
    near,
    occupancy,
    on_average,
    share_of_baseline,
    within,
)
from bench.selftest.ranks import RANKS, largest_difference

REAL, COPIES, HIDDEN = "real digits", "copies of the reference", "5% copies among real digits"
SHIFTED, BESIDE_BLURRED = "2% shifted, darker copies among real digits", "2% copies among blurred digits"
MEAN, GAUSS, GRID, STACKED = "mean of all digits", "two Gaussians", "grid_25, held out", "stacked_mnist, held out"
DEVIATIONS = 3.29  # of a Gaussian that hold CHANCE


NEIGHBOURS = 5  # of coverage
BALLS = ("precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage")


def precision_and_recall(inputs: Inputs) -> tuple[float, ...]:
    halves = (half(inputs, REAL, figure) for figure in ("precision", "recall"))
    return *figures(REAL, ("precision", "recall"), inputs), math.hypot(*halves)


def draw_figures(inputs: Inputs, plus: str, minus: str | None = None) -> list[float]:
    """Return a figure of each draw, or the difference of two."""
    draws = [draw.metrics for draw in inputs.draws]
    return [metrics[plus] - (metrics[minus] if minus else 0) for metrics in draws]


def coverage_of_equals(n: int) -> tuple[float, str]:
    return expected_coverage(n, NEIGHBOURS), f" = 1 - prod_(i <= {NEIGHBOURS}) ({n} - i) / ({2 * n} - i)"


def precision_and_baseline(inputs: Inputs, about: str) -> tuple[float, ...]:
    return inputs[about].metrics["precision"], inputs[REAL].metrics["precision"], half(inputs, REAL, "precision")


def kl_of_remaining_modes(inputs: Inputs, about: str, remaining: int) -> tuple[float, ...]:
    modes = inputs.digits.reference_set.modes
    assert modes is not None
    share = float(modes.probabilities[:remaining].sum())
    return inputs[about].metrics["mode_kl"], -math.log(share), half(inputs, about, "mode_kl")


def missing_modes(count: int) -> list[Case]:
    about, remaining = f"{count} of 10 digits dropped", 10 - count
    return [
        exactly(about, "modes", remaining),
        share_of_baseline(about, "recall", REAL, remaining / 10, 0.05),
        share_of_baseline(about, "coverage", REAL, remaining / 10, 0.05),
        share_of_baseline(about, "clipped_coverage", REAL, remaining / 10, 0.05),
        Case(
            about, "precision", f"not below the baseline, ± {WIDTHS} half widths",
            partial(precision_and_baseline, about=about),
            lambda value, baseline, half: value >= baseline - WIDTHS * half, "{:.3g}, baseline {:.3g} ± {:.2g}",
        ),
        near(about, "class_entropy", math.log(remaining), 0.02, f"ln {remaining} = {math.log(remaining):.4g} ± 0.02"),
        Case(
            about, "mode_kl", f"-ln(share of {remaining} digits), ± {WIDTHS} half widths",
            partial(kl_of_remaining_modes, about=about, remaining=remaining),
            lambda value, expected, half: abs(value - expected) <= WIDTHS * half, "{:.4g}, expected {:.4g} ± {:.2g}",
        ),
    ]  # fmt: skip


def equal_pairs(inputs: Inputs) -> tuple[float, ...]:
    closest = inputs[COPIES].closest
    assert closest is not None
    return (float((closest.images == inputs.training[closest.training]).flatten(1).all(1).sum()),)


def fid_over_baseline(inputs: Inputs) -> tuple[float, ...]:
    return (inputs[MEAN].metrics["fid"] / inputs[REAL].metrics["fid"],)


def good_points(inputs: Inputs) -> tuple[float, ...]:
    return inputs[GRID].metrics["high_quality"], 1 - math.exp(-9 / 2)


def right_triples(inputs: Inputs) -> tuple[float, ...]:
    extractor, indices = inputs.stacked.reference_set.extractor, inputs.triple_indices
    _, logits = extractor.outputs(inputs.triples.test_images[indices])
    assert logits is not None
    assert extractor.accuracy is not None
    right = by_classifier(logits, extractor.classes) == inputs.triples.test_labels[indices]
    return float(right.double().mean()), extractor.accuracy**3


def modes_of_triples() -> Case:
    mean, deviation = occupancy(1000, TRIPLES)
    return near(
        STACKED, "modes", mean, DEVIATIONS * deviation,
        f"1000 (1 - 0.999^{TRIPLES}) = {mean:.0f} ± {DEVIATIONS * deviation:.0f} ({CHANCE:.1%} interval)",
    )  # fmt: skip


def two_processes(inputs: Inputs) -> tuple[float, ...]:
    return (largest_difference(inputs.held_out_images, inputs.digits.reference_set, inputs.digits.protocol),)


def not_a_number(n: int, generator: torch.Generator) -> Tensor:
    return torch.full((n, 1, 28, 28), math.nan)


def too_large(n: int, generator: torch.Generator) -> Tensor:
    return torch.zeros(n, 1, 32, 32)


def refusal(about: str, sample: Sample, sentence: str) -> Case:
    def measure(inputs: Inputs) -> tuple[str]:
        try:
            evaluate(sample, inputs.digits.reference_set, inputs.digits.protocol)
        except EvaluationError as error:
            return (str(error),)
        return ("accepted",)

    return Case(about, "refusal", sentence, measure, lambda message: sentence in message, "{}")


CASES = [
    within(REAL, "fid_infinity", 0),
    within(REAL, "kid", 0),
    Case(REAL, "precision, recall", f"equal, ± {WIDTHS} half widths of the difference", precision_and_recall,
         lambda precision, recall, half: abs(precision - recall) <= WIDTHS * half, "{:.3g}, {:.3g} ± {:.2g}"),
    within(REAL, "density", 1),
    within(REAL, "coverage", *coverage_of_equals(SAMPLES)),
    exactly(REAL, "modes", 10),
    equal_kl(REAL, 10, SAMPLES),
    within(REAL, "fld", 0),
    within(REAL, "c_t", 0),
    exactly(REAL, "exact_copies", 0),
    flags(REAL, "none"),
    *(case for count in DROPPED for case in missing_modes(count)),
    flags("only the digit 1", "none"),
    monotone("blur", REAL, BLURS, "fid", 1),
    monotone("blur", REAL, BLURS, "fd_random", 1),
    monotone("blur", REAL, BLURS, "fld", 1),
    monotone("blur", REAL, BLURS[1:], "precision", -1),  # half a pixel makes digits smoother, and no less typical
    monotone("noise", REAL, NOISES, "fid", 1),
    monotone("noise", REAL, NOISES, "fd_random", 1),
    monotone("noise", REAL, NOISES, "precision", -1),
    *(exactly(COPIES, figure, 1) for figure in BALLS),
    Case(COPIES, "fld_gap", "below -50", partial(figures, COPIES, ("fld_gap",)), lambda value: value < -50),
    Case(COPIES, "c_t", "below -5", partial(figures, COPIES, ("c_t",)), lambda value: value < -5),
    flags(COPIES, f"exact copies: {SAMPLES:,} of {SAMPLES:,}"),
    exactly(COPIES, "exact_copies", SAMPLES),
    Case(COPIES, "equal pairs of the closest", "16", equal_pairs, lambda value: value == 16),
    flags(HIDDEN, f"exact copies: {SAMPLES // 20} of {SAMPLES:,}"),
    flags(SHIFTED, "possible copies: of the "),
    flags(BESIDE_BLURRED, f"exact copies: {FEW} of {SAMPLES:,}"),
    *(exactly(MEAN, figure, 0) for figure in (*BALLS, "class_entropy")),
    exactly(MEAN, "modes", 1),
    near(MEAN, "vendi", 1, 1e-9, "1 ± 1e-9"),
    Case(MEAN, "fid / baseline", "above 100", fid_over_baseline, lambda value: value > 100),
    flags(MEAN, f"only 1 of {SAMPLES:,} samples are distinct"),
    near(GAUSS, "fid", frechet(), 1e-5 * frechet(), f"closed form {frechet():.6g}, relative 1e-5"),
    *(on_average(figure, 0, "", partial(draw_figures, plus=figure)) for figure in ("fid_infinity", "kid")),
    on_average("precision - recall", 0, "", partial(draw_figures, plus="precision", minus="recall")),
    on_average("density", 1, "", partial(draw_figures, plus="density")),
    on_average("coverage", *coverage_of_equals(DRAWN), partial(draw_figures, plus="coverage")),
    binomial(GRID, "high_quality", "1 - exp(-9/2)", POINTS, good_points),
    exactly(GRID, "modes", 25),
    equal_kl(GRID, 25, POINTS),
    modes_of_triples(),
    binomial(STACKED, "modes that the labels say", "the classifier's accuracy cubed", TRIPLES, right_triples),
    Case(f"{RANKS} processes for one", "largest difference", "at most 1e-6 of a figure", two_processes,
         lambda value: value <= 1e-6),
    refusal("samples of NaN", not_a_number, "hold NaN or infinity"),
    refusal("samples of 32 x 32", too_large, "(1, 32, 32)"),
]  # fmt: skip
