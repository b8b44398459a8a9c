"""Other bars move a mark one way only, and the rule's own bar is in bold."""

from pathlib import Path

from bench.table import render, sensitivity
from bench.table.build import build
from bench.table.rules import RULES
from tests.bench.records import lecture, over_two_seeds

HERE = Path("results")


def test_sensitivity_has_the_rules_own_mark_in_bold_and_moves_one_way() -> None:
    table = build(over_two_seeds(lecture()), HERE)
    found = dict(sensitivity.sensitivity(table))
    assert list(found) == [rule.title for rule in RULES]
    worth = {"×": 0, "≈": 1, "✓": 2}
    for rule in RULES:
        head, *lines = found[rule.title]
        (own,) = (k for k, text in enumerate(head) if text.startswith("**"))
        assert [line[own] for line in lines] == [table.lecture[rule.title][line[0]].label for line in lines]
        for _, *shown in lines:
            order = [worth[mark] for mark in shown]
            assert order == sorted(order, reverse=rule.columns[0].better == "higher")
    assert "**Marks at other bars.**" in render.markdown(table)
