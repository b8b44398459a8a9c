"""The report card: which measures report planted coverage whatever the quality, and quality whatever the coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from bench.evaluation.features.registry import load_extractor
from bench.runtime.console import Bar, console
from bench.selftest.candidates import CANDIDATES, Candidate
from bench.selftest.planting import FULL, INTACT, Draw, Plan, State, figures, source
from bench.selftest.readings import Figures, coverage_errors, coverage_marks, quality_errors, quality_marks
from bench.selftest.report_card_picture import heat_map
from bench.selftest.study import Study
from bench.table.text import Grid
from datamodules import DATAMODULES
from datamodules.base import DataError, ImageDataModule

SEED = 0  # of the split into reference and images to plant in
CALIBRATION, TEST = (1, 2), 3  # seeds of the draws that measures are calibrated by, and of the one that is read
OPEN = 0.5  # of a wrong mark: what a pair of measures pays for a mark that it leaves open
PAIRS = 5  # best pairs that are printed

SMALL = Plan(
    n=2000,
    kept=(0.1, 0.5, 0.7, 0.9),
    weights=(0.1, 0.3),
    distinct=(20, 100, 500),
    blurs=(0.5, 1.0),
    noises=(0.1, 0.2),
    replaced=(0.1, 0.3),
    kinds=("blends", "blends of all modes", "noise images", "foreign images"),
)
STACKED = Plan(
    n=3000,
    kept=(0.2, 0.5, 0.7, 0.9),
    weights=(),
    distinct=(),
    blurs=(0.5, 1.0),
    noises=(),
    replaced=(0.1, 0.3),
    kinds=("blends", "noise images"),
)


@dataclass(frozen=True)
class Planted:
    """A data set, the extractor it is judged in, and where foreign images come from."""

    extractor: str
    plan: Plan
    foreign: str | None = None


DATA = {
    "mnist": Planted("mnist-cnn", SMALL, "fashion_mnist"),
    "fashion_mnist": Planted("fashion_mnist-cnn", SMALL, "mnist"),
    "stacked_mnist": Planted("stacked-mnist-cnn", STACKED),
}


@dataclass(frozen=True)
class Measured:
    """Every candidate's figures in one data set."""

    plan: Plan
    calibration: Sequence[Figures]  # intact images of every coverage, and images of all modes of every quality
    test: Figures  # every coverage with every quality


def study() -> Study:
    """Plant, measure, read; Fashion-MNIST is left out where its files are not there."""
    return card({name: found for name in DATA if (found := measure(name))})


def measure(name: str) -> Measured | None:
    """Figures of all planted cases of one data set; None, with a sentence, where its files are missing."""
    planted = DATA[name]
    images, foreign = loaded(name), loaded(planted.foreign) if planted.foreign else None
    if images is None or (planted.foreign and foreign is None):
        console.print(f"[yellow]{name} is skipped: its files, or those of {planted.foreign}, are missing[/]")
        return None
    others = foreign.test_images if foreign else None
    extractor, plan = load_extractor(planted.extractor), planted.plan
    real = source(name, extractor, images.train_images, images.train_labels, plan, others, SEED)
    clean: list[State] = [(coverage, INTACT) for coverage in plan.coverages]
    spoiled: list[State] = [(FULL, quality) for quality in plan.qualities[1:]]
    crossed: list[State] = [(coverage, quality) for coverage in plan.coverages for quality in plan.qualities]
    total = len(CALIBRATION) * len(clean + spoiled) + len(crossed)
    with Bar(f"planted in {name}", total, "cases") as bar:
        tick = partial(bar.advance)
        calibration = [figures(Draw(real, seed), clean + spoiled, tick) for seed in CALIBRATION]
        return Measured(plan, calibration, figures(Draw(real, TEST), crossed, tick))


def loaded(name: str) -> ImageDataModule | None:
    """A data set from its usual place; None where its files are not there. Nothing is downloaded."""
    data = DATAMODULES[name]()
    try:
        data.setup()
    except DataError:
        return None
    return data


@dataclass(frozen=True)
class Score:
    """What a candidate is worth as an answer to one question."""

    candidate: Candidate
    errors: Mapping[str, Mapping[State, float]]  # data set -> (ladder of coverage, of quality) -> reading error
    marks: np.ndarray  # bool, of all cases of all data sets
    truth: np.ndarray  # bool, what they should be

    @property
    def error(self) -> float:
        """The mean over data sets of the mean over pairs of ladders."""
        return float(np.mean([np.mean(list(cells.values())) for cells in self.errors.values()]))

    @property
    def wrong(self) -> float:
        return float((self.marks != self.truth).mean())


def scores(data: Mapping[str, Measured], question: str) -> list[Score]:
    """Of every candidate, the least reading error first."""
    read, mark = {"coverage": (coverage_errors, coverage_marks), "quality": (quality_errors, quality_marks)}[question]
    found = []
    for candidate in CANDIDATES:
        sign = 1 if candidate.higher else -1
        errors, pairs = {}, []
        for name, one in data.items():
            errors[name] = read(one.plan, one.calibration, one.test, candidate.name, sign)
            pairs += mark(one.plan, one.calibration, one.test, candidate.name, sign)
        marks, truth = np.array(pairs).T
        found.append(Score(candidate, errors, marks, truth))
    return sorted(found, key=lambda score: score.error)


def card(data: Mapping[str, Measured]) -> Study:
    """The study of what was measured."""
    ranked = {question: scores(data, question) for question in ("coverage", "quality")}
    about = (
        f"Report card of {len(CANDIDATES)} measures: real images of {', '.join(data)} with known modes missing, "
        "crossed with defects. Each measure is calibrated by cases that differ in one thing only, and read where the "
        "other thing differs too. Reading error: mean distance between the position read on a ladder of planted "
        "cases, 0 to 1, and the true one; a measure that does not see the ladder at all reads its middle and errs by "
        "about 0.3. Wrong marks: share of cases on the wrong side of the bar, which is real images without one in ten "
        "modes (coverage), or the weakest of each kind of defect (quality)."
    )
    grids = [grid for question, found in ranked.items() for grid in tables(question, found)]
    values = {question: [plain(score) for score in found] for question, found in ranked.items()}
    raw = {name: cases(one) for name, one in data.items()}
    picture = partial(heat_map, {question: rows(found) for question, found in ranked.items()})
    return Study(about, SEED, grids, {"scores": values, "cases": raw}, picture)


def tables(question: str, found: Sequence[Score]) -> list[tuple[str, Grid]]:
    """Errors and wrong marks of each candidate, and the pairs whose common marks cost least."""
    names = list(found[0].errors)
    head = ["measure", "reading error", *names, "worst", "wrong marks"]
    lines = []
    for score in found:
        worst, cell = max((error, cell) for cells in score.errors.values() for cell, error in cells.items())
        each = [f"{np.mean(list(score.errors[name].values())):.3f}" for name in names]
        lines.append(
            [
                score.candidate.name,
                f"{score.error:.3f}",
                *each,
                f"{worst:.2f} ({' × '.join(cell)})",
                f"{score.wrong:.1%}",
            ]
        )
    best = sorted((pair_cost(a, b), a.candidate.name, b.candidate.name) for a, b in combinations(found, 2))[:PAIRS]
    pairs = [[f"{a} and {b}", f"{wrong:.1%}", f"{left:.1%}"] for (_, wrong, left), a, b in best]
    return [
        (f"{question.capitalize()}: what can be read off each measure", [head, *lines]),
        (
            f"{question.capitalize()}: a mark only where two measures agree",
            [["pair", "wrong marks", "left open"], *pairs],
        ),
    ]


def pair_cost(a: Score, b: Score) -> tuple[float, float, float]:
    """Cost, share of wrong marks and share of open ones, where a mark stands only if both agree."""
    agree = a.marks == b.marks
    wrong, left = float((agree & (a.marks != a.truth)).mean()), float((~agree).mean())
    return wrong + OPEN * left, wrong, left


def plain(score: Score) -> dict[str, Any]:
    """As JSON can hold it."""
    errors = {
        name: {" × ".join(cell): round(e, 4) for cell, e in cells.items()} for name, cells in score.errors.items()
    }
    return {
        "measure": score.candidate.name,
        "error": round(score.error, 4),
        "wrong_marks": round(score.wrong, 4),
        "errors": errors,
    }


def rows(found: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Candidate -> its score, and for each pair of ladders the error, a mean over the data sets that have it."""
    cells = list(dict.fromkeys(cell for score in found for errors in score.errors.values() for cell in errors))
    return {
        score.candidate.name: {"score": score.error}
        | {
            f"{cell[0]}\n× {cell[1]}": float(
                np.mean([errors[cell] for errors in score.errors.values() if cell in errors])
            )
            for cell in cells
        }
        for score in found
    }


def cases(one: Measured) -> dict[str, dict[str, float]]:
    """Case -> candidate -> figure of the draw that is read, to four digits."""
    return {
        f"{coverage}; {quality}": {name: float(f"{value:.4g}") for name, value in values.items()}
        for (coverage, quality), values in one.test.items()
    }
