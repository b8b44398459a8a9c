"""The report card on a tiny plan: that every case is measured, and that the same seed gives the same card."""

import pytest

from bench.selftest import planting
from bench.selftest.candidates import CANDIDATES
from bench.selftest.planting import Plan
from bench.selftest.studies import report_card
from bench.selftest.studies.report_card import PlantedData
from bench.selftest.study import Study

TINY = Plan(60, (0.1, 0.5, 0.9), (0.1,), (20,), (1.0,), (0.2,), (0.1, 0.3), ("blends", "blends of all modes"))


@pytest.fixture(scope="module")
def cards() -> list[Study]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planting, "REFERENCE", 400)
        patch.setattr(planting, "BINS", 10)
        patch.setattr(report_card, "DATA", {"mnist": PlantedData("mnist-cnn", TINY)})
        return [report_card.study() for _ in range(2)]


@pytest.mark.slow
def test_every_case_has_every_figure_and_the_seed_decides_them(cards: list[Study]) -> None:
    first, again = cards
    cases = first.figures["cases"]["mnist"]
    assert len(cases) == len(TINY.coverages) * len(TINY.qualities)
    assert all(len(figures) == len(CANDIDATES) for figures in cases.values())
    assert first.figures == again.figures


@pytest.mark.slow
def test_half_of_the_digits_lower_coverage_and_not_precision(cards: list[Study]) -> None:
    cases = cards[0].figures["cases"]["mnist"]
    whole, half = cases["all modes; intact"], cases["50% of modes; intact"]
    assert half["coverage"] < 0.7 * whole["coverage"]
    assert half["precision"] == pytest.approx(whole["precision"], abs=0.2)


@pytest.mark.slow
def test_the_picture_is_a_png(cards: list[Study]) -> None:
    draw = cards[0].draw
    assert draw is not None
    assert draw().startswith(b"\x89PNG")
