"""The report card: measures whose reading of planted coverage is independent of quality, and the reverse."""

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
CALIBRATION, TEST = (1, 2), 3  # seeds of the draws for calibration, and of the draw that is read
OPEN = 0.5  # cost of an undecided mark of a pair of measures, in wrong marks
PAIRS = 5  # best pairs that are printed

SMALL = Plan(
    n=2000,
    mode_shares=(0.1, 0.5, 0.7, 0.9),
    weights=(0.1, 0.3),
    distinct=(20, 100, 500),
    blurs=(0.5, 1.0),
    noises=(0.1, 0.2),
    replaced=(0.1, 0.3),
    kinds=("blends", "blends of all modes", "noise images", "foreign images"),
)
STACKED = Plan(
    n=3000,
    mode_shares=(0.2, 0.5, 0.7, 0.9),
    weights=(),
    distinct=(),
    blurs=(0.5, 1.0),
    noises=(),
    replaced=(0.1, 0.3),
    kinds=("blends", "noise images"),
)


@dataclass(frozen=True)
class PlantedData:
    """A data set's extractor and plan, and the data set of its foreign images."""

    extractor: str
    plan: Plan
    foreign: str | None = None


DATA = {
    "mnist": PlantedData("mnist-cnn", SMALL, "fashion_mnist"),
    "fashion_mnist": PlantedData("fashion_mnist-cnn", SMALL, "mnist"),
    "stacked_mnist": PlantedData("stacked-mnist-cnn", STACKED),
}


@dataclass(frozen=True)
class Measurements:
    """Every candidate's figures for one data set."""

    plan: Plan
    calibration: Sequence[Figures]  # intact images of every coverage, and images of all modes of every quality
    test: Figures  # every coverage with every quality


def study() -> Study:
    """Plant, measure and read; a data set whose files are missing is skipped."""
    return card({name: measurements for name in DATA if (measurements := measure(name))})


def measure(name: str) -> Measurements | None:
    """Measure all planted cases of one data set; None, with a message, where its files are missing."""
    entry = DATA[name]
    images, foreign = load_if_present(name), load_if_present(entry.foreign) if entry.foreign else None
    if images is None or (entry.foreign and foreign is None):
        console.print(f"[yellow]{name} is skipped: its files, or those of {entry.foreign}, are missing[/]")
        return None
    foreign_images = foreign.test_images if foreign else None
    extractor, plan = load_extractor(entry.extractor), entry.plan
    real = source(name, extractor, images.train_images, images.train_labels, plan, foreign_images, SEED)
    clean: list[State] = [(coverage, INTACT) for coverage in plan.coverages]
    spoiled: list[State] = [(FULL, quality) for quality in plan.qualities[1:]]
    crossed: list[State] = [(coverage, quality) for coverage in plan.coverages for quality in plan.qualities]
    total = len(CALIBRATION) * len(clean + spoiled) + len(crossed)
    with Bar(f"planted in {name}", total, "cases") as bar:
        tick = partial(bar.advance)
        calibration = [figures(Draw(real, seed), clean + spoiled, tick) for seed in CALIBRATION]
        return Measurements(plan, calibration, figures(Draw(real, TEST), crossed, tick))


def load_if_present(name: str) -> ImageDataModule | None:
    """Load a data set from its usual place; None where its files are missing. Nothing is downloaded."""
    data = DATAMODULES[name]()
    try:
        data.setup()
    except DataError:
        return None
    return data


@dataclass(frozen=True)
class Score:
    """A candidate's errors and marks for one question."""

    candidate: Candidate
    errors: Mapping[str, Mapping[State, float]]  # data set -> (ladder of coverage, of quality) -> reading error
    marks: np.ndarray  # bool, of all cases of all data sets
    truth: np.ndarray  # bool, the right marks

    @property
    def error(self) -> float:
        """The mean over data sets of the mean over pairs of ladders."""
        return float(np.mean([np.mean(list(cells.values())) for cells in self.errors.values()]))

    @property
    def wrong(self) -> float:
        return float((self.marks != self.truth).mean())


def scores(data: Mapping[str, Measurements], question: str) -> list[Score]:
    """Score every candidate, the smallest reading error first."""
    read, mark = {"coverage": (coverage_errors, coverage_marks), "quality": (quality_errors, quality_marks)}[question]
    results = []
    for candidate in CANDIDATES:
        sign = 1 if candidate.higher else -1
        errors, pairs = {}, []
        for name, measurements in data.items():
            errors[name] = read(measurements.plan, measurements.calibration, measurements.test, candidate.name, sign)
            pairs += mark(measurements.plan, measurements.calibration, measurements.test, candidate.name, sign)
        marks, truth = np.array(pairs).T
        results.append(Score(candidate, errors, marks, truth))
    return sorted(results, key=lambda score: score.error)


def card(data: Mapping[str, Measurements]) -> Study:
    """Summarise the measurements as a study."""
    ranked = {question: scores(data, question) for question in ("coverage", "quality")}
    about = (
        f"Report card of {len(CANDIDATES)} measures: real images of {', '.join(data)} with known modes missing, "
        "crossed with defects. Each measure is calibrated by cases that differ in one thing only, and read where the "
        "other thing differs too. Reading error: mean distance between the position read on a ladder of planted "
        "cases, 0 to 1, and the true one; a measure that does not see the ladder at all reads its middle and errs by "
        "about 0.3. Wrong marks: share of cases on the wrong side of the bar, which is real images without one in ten "
        "modes (coverage), or the weakest of each kind of defect (quality)."
    )
    grids = [grid for question, results in ranked.items() for grid in tables(question, results)]
    values = {question: [plain(score) for score in results] for question, results in ranked.items()}
    raw = {name: cases(measurements) for name, measurements in data.items()}
    picture = partial(heat_map, {question: rows(results) for question, results in ranked.items()})
    return Study(about, SEED, grids, {"scores": values, "cases": raw}, picture)


def tables(question: str, results: Sequence[Score]) -> list[tuple[str, Grid]]:
    """Return errors and wrong marks of each candidate, and the pairs whose common marks cost least."""
    names = list(results[0].errors)
    head = ["measure", "reading error", *names, "worst", "wrong marks"]
    lines = []
    for score in results:
        worst, cell = max((error, cell) for cells in score.errors.values() for cell, error in cells.items())
        errors = [f"{np.mean(list(score.errors[name].values())):.3f}" for name in names]
        lines.append(
            [
                score.candidate.name,
                f"{score.error:.3f}",
                *errors,
                f"{worst:.2f} ({' × '.join(cell)})",
                f"{score.wrong:.1%}",
            ]
        )
    best = sorted((pair_cost(a, b), a.candidate.name, b.candidate.name) for a, b in combinations(results, 2))[:PAIRS]
    pairs = [[f"{a} and {b}", f"{wrong:.1%}", f"{open_share:.1%}"] for (_, wrong, open_share), a, b in best]
    return [
        (f"{question.capitalize()}: what can be read off each measure", [head, *lines]),
        (
            f"{question.capitalize()}: a mark only where two measures agree",
            [["pair", "wrong marks", "left open"], *pairs],
        ),
    ]


def pair_cost(a: Score, b: Score) -> tuple[float, float, float]:
    """Return cost, share of wrong marks and share of undecided ones, where a mark counts only if both agree."""
    agree = a.marks == b.marks
    wrong, open_share = float((agree & (a.marks != a.truth)).mean()), float((~agree).mean())
    return wrong + OPEN * open_share, wrong, open_share


def plain(score: Score) -> dict[str, Any]:
    """Convert a score to plain values for JSON."""
    errors = {
        name: {" × ".join(cell): round(e, 4) for cell, e in cells.items()} for name, cells in score.errors.items()
    }
    return {
        "measure": score.candidate.name,
        "error": round(score.error, 4),
        "wrong_marks": round(score.wrong, 4),
        "errors": errors,
    }


def rows(results: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Return each candidate's score, and its error for each pair of ladders, a mean over the data sets that have it."""
    cells = list(dict.fromkeys(cell for score in results for errors in score.errors.values() for cell in errors))
    return {
        score.candidate.name: {"score": score.error}
        | {
            f"{cell[0]}\n× {cell[1]}": float(
                np.mean([errors[cell] for errors in score.errors.values() if cell in errors])
            )
            for cell in cells
        }
        for score in results
    }


def cases(measurements: Measurements) -> dict[str, dict[str, float]]:
    """Return case -> candidate -> figure of the draw that is read, to four digits."""
    return {
        f"{coverage}; {quality}": {name: float(f"{value:.4g}") for name, value in values.items()}
        for (coverage, quality), values in measurements.test.items()
    }
