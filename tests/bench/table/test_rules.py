"""A rule gives a mark only where all its figures agree."""

from pathlib import Path

import pytest

from bench.table.build import build, mark_cell
from bench.table.figure import Figure
from bench.table.rules import UNSURE, Baseline, Rule, decision
from tests.bench.records import baseline, figures, record

HERE = Path("results")


def test_two_figures_that_disagree_leave_a_mark_open() -> None:
    rule = Rule("Both", ("coverage", "recall"), Baseline("held-out"), {"gan": "✓"})
    real = baseline("held-out", {"coverage": 0.5, "recall": 0.5})
    for coverage, recall, mark in ((0.6, 0.7, "✓"), (0.4, 0.3, "×"), (0.4, 0.7, "≈")):
        runs = [record("gan", "gan", rows={"default": figures(1, coverage, 1, recall=recall)})]
        real_row, row = build([*runs, real], HERE).rows
        assert mark_cell(rule, row, real_row, "gan", "").mark == mark
        assert list(mark_cell(rule, row, real_row, "gan", "").figures) == ["coverage", "recall"]


@pytest.mark.parametrize(("better", "above"), [("higher", "✓"), ("lower", "×")])
def test_a_figure_that_equals_its_bar_passes_and_the_direction_decides_the_rest(better: str, above: str) -> None:
    bar, below = Figure(1.0), {"✓": "×", "×": "✓"}[above]
    assert decision(bar, bar, better) == "✓"
    assert (decision(Figure(2.0), bar, better), decision(Figure(0.5), bar, better)) == (above, below)
    assert decision(Figure(2.0, 0.9, 3.1, 19), bar, better) == UNSURE
    assert decision(Figure(2.0, 1.1, 2.9, 19), bar, better) == above


def test_another_factor_scales_the_bar_and_changes_nothing_else() -> None:
    rule = Rule("Coverage", ("coverage",), Baseline("held-out", 0.9), {"gan": "×"})
    assert rule.at(0.5).bar == Baseline("held-out", 0.5)
    assert rule.at(0.5).at(0.9) == rule
