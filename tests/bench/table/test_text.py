"""The caption explains marks, bars and brackets; sections without lines are left out."""

from pathlib import Path
from typing import Any

from bench.results.records import Record
from bench.table import render, text
from bench.table.build import build
from bench.table.columns import SECTIONS
from bench.table.rules import RULES, SPEED
from tests.bench.records import figures, lecture, over_two_seeds, record

HERE = Path("results")


def with_samplers(rows: dict[str, dict[str, Any]]) -> Record:
    return record("ddpm", "diffusion", rows={name: dict(measured) for name, measured in rows.items()})


DDPM = {"ancestral-100": figures(4, 0.9, 9, nfe=100)}


def records(rows: dict[str, dict[str, Any]] = DDPM, *more: Record) -> list[Record]:
    return [*lecture()[:2], with_samplers(rows), *more, *lecture()[3:]]


def test_the_bar_moves_with_a_faster_headline_row_and_is_named() -> None:
    faster = record("sprinter", "gan", rows={"default": figures(50, 0.1, 0.0001)})
    table = build(records(DDPM, faster), HERE)
    assert "the fastest model's (sprinter: 0.0001)" in text.caption(table)
    assert table.lecture[SPEED]["vae"].mark == "×"
    assert "the fastest model's (vae: 0.02)" in text.caption(build(records(), HERE))


def test_a_bar_that_is_not_recorded_leaves_the_question_open_and_says_how_to_measure_it() -> None:
    table = build(lecture()[:4], HERE)
    assert [cell.mark for cell in table.lecture[RULES[2].title].values()] == ["–"] * 3
    said = "precision of held-out, 1 in 10 images spoiled, is not recorded (`bench train preset=quick data=mnist`"
    assert said in text.caption(table)


def test_a_mark_from_one_seed_is_in_brackets_and_explained() -> None:
    once, twice = build(lecture(), HERE), build(over_two_seeds(lecture()), HERE)
    for rule in RULES:
        for model in once.contenders:
            cells = [table.lecture[rule.title][model] for table in (once, twice)]
            assert cells[0].label == f"({cells[1].label})"
            assert (cells[0].agrees, cells[1].agrees) == (None, True)
    assert "are based on one training seed" in text.caption(once)
    assert "are based on one training seed" not in text.caption(twice)
    assert "(✓) precision 0.950" in render.markdown(once)


def test_block_three_is_left_out_where_nothing_was_measured() -> None:
    assert text.sections(build(lecture(), HERE).lines) == []
    assert not any(section.title in render.markdown(build(lecture(), HERE)) for section in SECTIONS)
