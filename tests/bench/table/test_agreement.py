"""The nine cells are the lecture's, each filled from the family's best model."""

from pathlib import Path

import pytest

from bench.table.agreement import agreement_grid, agreements
from bench.table.build import build
from bench.table.rules import FAMILIES, LECTURE
from tests.bench.records import baseline, figures, over_two_seeds, record

HERE = Path("results")
BASELINES = [baseline("class-missing", {"coverage": 0.6}), baseline("one-in-ten-spoiled", {"precision": 0.96})]
RECORDS = [
    record("vae", "autoregressive-vae", rows={"default": figures(9.0, 0.90, 0.01)}),
    record("pixel_ar", "autoregressive-vae", rows={"default": figures(6.0, 0.50, 5.0)}),
    record("gan", "gan", rows={"default": figures(2.0, 0.40, 0.01)}),
    record("ddpm", "diffusion", rows={"ancestral-100": figures(1.5, 0.88, 3.0)}),
]


def test_each_question_and_family_has_one_cell_with_the_lectures_word() -> None:
    found = agreements(build(RECORDS, HERE))
    assert [(one.question, one.family) for one in found] == [
        (question, family) for question in LECTURE for family in FAMILIES
    ]
    assert [one.cell.lecture for one in found] == [LECTURE[one.question][one.family] for one in found]


def test_a_family_stands_by_its_best_model_in_that_question_and_names_the_others_marks() -> None:
    table = build([*RECORDS, *BASELINES], HERE)
    first = {one.question: one for one in agreements(table) if one.family == "autoregressive-vae"}
    assert {question: one.model for question, one in first.items()} == {
        "Mode coverage / diversity": "vae", "Fast sampling": "vae", "High-quality samples": "pixel_ar",
    }  # fmt: skip
    for question, one in first.items():
        assert one.cell == table.lecture[question][one.model]
        (other,) = {"vae", "pixel_ar"} - {one.model}
        assert one.others == {other: table.lecture[question][other].label}


@pytest.mark.parametrize(
    ("coverage", "mark", "agree"), [(0.40, "×", "yes"), (0.90, "✓", "no")], ids=["as the lecture says", "otherwise"]
)
def test_agreement_is_said_of_the_mark_that_was_measured(coverage: float, mark: str, agree: str) -> None:
    gan = record("gan", "gan", rows={"default": figures(2.0, coverage, 0.01)})
    grid = agreement_grid(build([*over_two_seeds([RECORDS[0], gan]), *BASELINES], HERE))
    (line,) = [line for line in grid if line[:2] == ["Mode coverage / diversity", "GANs"]]
    assert (line[2], line[3], line[5]) == ("×", mark, agree)
    (line,) = [line for line in grid if line[:2] == ["Mode coverage / diversity", "Diffusion models"]]
    assert line[2:] == ["✓", "–", "–", "not measured", "–"]


def test_a_mark_of_one_seed_is_no_agreement() -> None:
    """Its interval lacks the chance of a training, so it is neither for nor against the lecture."""
    once, twice = (build([*runs, *BASELINES], HERE) for runs in (RECORDS, over_two_seeds(RECORDS)))
    for one, other in zip(agreements(once), agreements(twice), strict=True):
        assert one.agree == "one seed"
        assert other.agree in ("yes", "no")
        assert one.cell.label == f"({other.cell.label})"


def test_without_its_bar_a_question_is_not_judged() -> None:
    found = agreements(build(RECORDS, HERE))
    assert {one.agree for one in found if one.question == "High-quality samples"} == {"no bar"}
    assert {one.agree for one in agreements(build(RECORDS[:1], HERE)) if one.family == "gan"} == {"not measured"}
