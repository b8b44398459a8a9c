"""The report's panels name keys that runs have, and its pictures stand once each."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb_workspaces", reason="pip install wandb-workspaces")

from bench.table.build import build
from bench.table.render import markdown
from bench.table.summary import KEYS
from bench.tracking import panels
from bench.tracking.log import SAMPLES
from tests.bench.records import lecture


def media_keys(blocks: list[Any]) -> list[str]:
    return [
        key for block in blocks for panel in getattr(block, "panels", []) for key in getattr(panel, "media_keys", [])
    ]


def test_every_figure_of_the_panels_is_a_key_of_the_summary() -> None:
    trade, *bars = panels.figures()
    keys = [metric.name for metric in (trade.x, trade.y, trade.z, *(metric for bar in bars for metric in bar.metrics))]
    assert set(keys) <= KEYS.keys()


def test_the_table_stands_as_text_and_each_picture_in_one_panel() -> None:
    table = build(lecture(), Path("results"))
    pictures = ["samples", "samples-ddim-50", "reconstructions", "traversals"]
    blocks = panels.blocks(table, "me", "p", ("mnist", "quick"), pictures)
    assert [block.text for block in blocks if type(block).__name__ == "MarkdownBlock"] == [markdown(table)]
    assert sorted(media_keys(blocks)) == sorted([SAMPLES, *(f"pictures/{name}" for name in pictures)])


def test_runs_are_filtered_by_data_set_and_preset() -> None:
    blocks = panels.blocks(build(lecture(), Path("results")), "me", "p", ("mnist", "quick"), [])
    filters = [str(runset.filters) for block in blocks for runset in getattr(block, "runsets", [])]
    assert filters
    assert all("mnist" in text and "quick" in text for text in filters)
