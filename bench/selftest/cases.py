"""The cases, as data: whose figure, what it has to be, what it is. The command prints them, the tests assert them."""

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
    flagged,
    frechet,
    half,
    monotone,
    near,
    occupied,
    on_average,
    shared,
    within,
)
from bench.selftest.ranks import RANKS, largest_difference

REAL, COPIES, HIDDEN = "real digits", "copies of the reference", "5% copies among real digits"
SHIFTED, BESIDE_BLURRED = "2% shifted, darker copies among real digits", "2% copies among blurred digits"
MEAN, GAUSS, GRID, STACKED = "mean of all digits", "two Gaussians", "grid_25, held out", "stacked_mnist, held out"
DEVIATIONS = 3.29  # of a Gaussian that hold CHANCE


NEIGHBOURS = 5  # of coverage


def precision_and_recall(inputs: Inputs) -> tuple[float, ...]:
    halves = (half(inputs, REAL, figure) for figure in ("precision", "recall"))
    return *figures(REAL, ("precision", "recall"), inputs), math.hypot(*halves)


def drawn(inputs: Inputs, plus: str, minus: str | None = None) -> list[float]:
    """A figure of each draw, or the difference of two."""
    found = [draw.metrics for draw in inputs.draws]
    return [metrics[plus] - (metrics[minus] if minus else 0) for metrics in found]


def covered(n: int) -> tuple[float, str]:
    return expected_coverage(n, NEIGHBOURS), f" = 1 - prod_(i <= {NEIGHBOURS}) ({n} - i) / ({2 * n} - i)"


def not_fallen(inputs: Inputs, about: str) -> tuple[float, ...]:
    return inputs[about].metrics["precision"], inputs[REAL].metrics["precision"], half(inputs, REAL, "precision")


def kl_of_the_rest(inputs: Inputs, about: str, kept: int) -> tuple[float, ...]:
    modes = inputs.digits.against.modes
    assert modes is not None
    share = float(modes.probabilities[:kept].sum())
    return inputs[about].metrics["mode_kl"], -math.log(share), half(inputs, about, "mode_kl")


def modes_dropped(count: int) -> list[Case]:
    about, kept = f"{count} of 10 digits dropped", 10 - count
    return [
        exactly(about, "modes", kept),
        shared(about, "recall", REAL, kept / 10, 0.05),
        shared(about, "coverage", REAL, kept / 10, 0.05),
        Case(
            about, "precision", f"not below the floor, ± {WIDTHS} half widths", partial(not_fallen, about=about),
            lambda found, floor, half: found >= floor - WIDTHS * half, "{:.3g}, floor {:.3g} ± {:.2g}",
        ),
        near(about, "class_entropy", math.log(kept), 0.02, f"ln {kept} = {math.log(kept):.4g} ± 0.02"),
        Case(
            about, "mode_kl", f"-ln(share of {kept} digits), ± {WIDTHS} half widths",
            partial(kl_of_the_rest, about=about, kept=kept),
            lambda found, expected, half: abs(found - expected) <= WIDTHS * half, "{:.4g}, expected {:.4g} ± {:.2g}",
        ),
    ]  # fmt: skip


def equal_pairs(inputs: Inputs) -> tuple[float, ...]:
    closest = inputs[COPIES].closest
    assert closest is not None
    return (float((closest.images == inputs.training[closest.training]).flatten(1).all(1).sum()),)


def times_the_floor(inputs: Inputs) -> tuple[float, ...]:
    return (inputs[MEAN].metrics["fid"] / inputs[REAL].metrics["fid"],)


def good_points(inputs: Inputs) -> tuple[float, ...]:
    return inputs[GRID].metrics["high_quality"], 1 - math.exp(-9 / 2)


def right_triples(inputs: Inputs) -> tuple[float, ...]:
    extractor, chosen = inputs.stacked.against.extractor, inputs.chosen_triples
    _, logits = extractor.outputs(inputs.triples.test_images[chosen])
    assert logits is not None
    assert extractor.accuracy is not None
    right = by_classifier(logits, extractor.classes) == inputs.triples.test_labels[chosen]
    return float(right.double().mean()), extractor.accuracy**3


def shown_triples() -> Case:
    mean, deviation = occupied(1000, TRIPLES)
    return near(
        STACKED, "modes", mean, DEVIATIONS * deviation,
        f"1000 (1 - 0.999^{TRIPLES}) = {mean:.0f} ± {DEVIATIONS * deviation:.0f} ({CHANCE:.1%} interval)",
    )  # fmt: skip


def two_processes(inputs: Inputs) -> tuple[float, ...]:
    return (largest_difference(inputs.others, inputs.digits.against, inputs.digits.protocol),)


def not_a_number(n: int, generator: torch.Generator) -> Tensor:
    return torch.full((n, 1, 28, 28), math.nan)


def too_large(n: int, generator: torch.Generator) -> Tensor:
    return torch.zeros(n, 1, 32, 32)


def refused(about: str, sample: Sample, sentence: str) -> Case:
    def measure(inputs: Inputs) -> tuple[str]:
        try:
            evaluate(sample, inputs.digits.against, inputs.digits.protocol)
        except EvaluationError as error:
            return (str(error),)
        return ("accepted",)

    return Case(about, "refusal", sentence, measure, lambda found: sentence in found, "{}")


CASES = [
    within(REAL, "fid_infinity", 0),
    within(REAL, "kid", 0),
    Case(REAL, "precision, recall", f"equal, ± {WIDTHS} half widths of the difference", precision_and_recall,
         lambda precision, recall, half: abs(precision - recall) <= WIDTHS * half, "{:.3g}, {:.3g} ± {:.2g}"),
    within(REAL, "density", 1),
    within(REAL, "coverage", *covered(SAMPLES)),
    exactly(REAL, "modes", 10),
    equal_kl(REAL, 10, SAMPLES),
    within(REAL, "c_t", 0),
    exactly(REAL, "exact_copies", 0),
    flagged(REAL, "none"),
    *(case for count in DROPPED for case in modes_dropped(count)),
    flagged("only the digit 1", "none"),
    monotone("blur", REAL, BLURS, "fid", 1),
    monotone("blur", REAL, BLURS[1:], "precision", -1),  # half a pixel makes digits smoother, and no less typical
    monotone("noise", REAL, NOISES, "fid", 1),
    monotone("noise", REAL, NOISES, "precision", -1),
    *(exactly(COPIES, figure, 1) for figure in ("precision", "recall", "density", "coverage")),
    Case(COPIES, "c_t", "below -5", partial(figures, COPIES, ("c_t",)), lambda found: found < -5),
    flagged(COPIES, f"exact copies: {SAMPLES:,} of {SAMPLES:,}"),
    exactly(COPIES, "exact_copies", SAMPLES),
    Case(COPIES, "equal pairs of the closest", "16", equal_pairs, lambda found: found == 16),
    flagged(HIDDEN, f"exact copies: {SAMPLES // 20} of {SAMPLES:,}"),
    flagged(SHIFTED, "possible copies: of the "),
    flagged(BESIDE_BLURRED, f"exact copies: {FEW} of {SAMPLES:,}"),
    *(exactly(MEAN, figure, 0) for figure in ("precision", "recall", "density", "coverage", "class_entropy")),
    exactly(MEAN, "modes", 1),
    near(MEAN, "vendi", 1, 1e-9, "1 ± 1e-9"),
    Case(MEAN, "fid / floor", "above 100", times_the_floor, lambda found: found > 100),
    flagged(MEAN, f"only 1 of {SAMPLES:,} samples are distinct"),
    near(GAUSS, "fid", frechet(), 1e-5 * frechet(), f"closed form {frechet():.6g}, relative 1e-5"),
    *(on_average(figure, 0, "", partial(drawn, plus=figure)) for figure in ("fid_infinity", "kid")),
    on_average("precision - recall", 0, "", partial(drawn, plus="precision", minus="recall")),
    on_average("density", 1, "", partial(drawn, plus="density")),
    on_average("coverage", *covered(DRAWN), partial(drawn, plus="coverage")),
    binomial(GRID, "high_quality", "1 - exp(-9/2)", POINTS, good_points),
    exactly(GRID, "modes", 25),
    equal_kl(GRID, 25, POINTS),
    shown_triples(),
    binomial(STACKED, "modes that the labels say", "the classifier's accuracy cubed", TRIPLES, right_triples),
    Case(f"{RANKS} processes for one", "largest difference", "at most 1e-6 of a figure", two_processes,
         lambda found: found <= 1e-6),
    refused("samples of NaN", not_a_number, "hold NaN or infinity"),
    refused("samples of 32 x 32", too_large, "(1, 32, 32)"),
]  # fmt: skip
